/* Virtual time. What is to happen stands in a heap; time jumps to the next of it. Clients run as
 * tasks with stacks of their own, so that a core's blocking calls are what they are in a program:
 * where it would wait, the others go on. */
#include "sim/sim.h"

#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define FIBERS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBERS 1
#endif
#endif

#ifdef FIBERS
#include <sanitizer/common_interface_defs.h>
#endif

/* ---- Events ------------------------------------------------------------------------------------
 */

static bool before(const struct event *a, const struct event *b)
{
    return a->ms != b->ms ? a->ms < b->ms : a->order < b->order;
}

static void swap_events(struct event *a, struct event *b)
{
    struct event c = *a;
    *a = *b;
    *b = c;
}

void world_at(struct world *world, uint64_t ms,
              void (*happen)(struct world *world, void *ctx, sotto_buf *bytes, uint64_t number),
              void *ctx, sotto_buf *bytes, uint64_t number)
{
    struct event *event =
        sim_grow((void **)&world->events, &world->event_count, &world->event_room, sizeof *event);
    *event = (struct event){.ms = ms < world->now_ms ? world->now_ms : ms,
                            .order = world->order++,
                            .happen = happen,
                            .ctx = ctx,
                            .number = number};
    if (bytes != NULL)
        event->bytes = *bytes;
    else
        sotto_buf_init(&event->bytes, &world->env);
    for (size_t i = world->event_count - 1; i > 0;) {
        size_t parent = (i - 1) / 2;
        if (!before(&world->events[i], &world->events[parent]))
            break;
        swap_events(&world->events[i], &world->events[parent]);
        i = parent;
    }
}

static struct event next_event(struct world *world)
{
    struct event *heap = world->events;
    struct event first = heap[0];
    heap[0] = heap[--world->event_count];
    for (size_t i = 0;;) {
        size_t least = i, left = 2 * i + 1, right = left + 1;
        if (left < world->event_count && before(&heap[left], &heap[least]))
            least = left;
        if (right < world->event_count && before(&heap[right], &heap[least]))
            least = right;
        if (least == i)
            return first;
        swap_events(&heap[i], &heap[least]);
        i = least;
    }
}

void world_run(struct world *world)
{
    while (world->event_count > 0) {
        struct event event = next_event(world);
        world->now_ms = event.ms;
        event.happen(world, event.ctx, &event.bytes, event.number);
        sotto_buf_free(&event.bytes);
    }
}

/* ---- Tasks -------------------------------------------------------------------------------------
 */

#ifdef FIBERS
enum { STACK_SIZE = 4 << 20 };
#else
enum { STACK_SIZE = 1 << 20 };
#endif

static void to_task(struct task *task)
{
    struct world *world = task->world;
#ifdef FIBERS
    __sanitizer_start_switch_fiber(&world->fake_stack, task->stack, task->stack_size);
#endif
    swapcontext(&world->context, &task->context);
#ifdef FIBERS
    __sanitizer_finish_switch_fiber(world->fake_stack, NULL, NULL);
#endif
}

static void to_world(struct task *task, bool last)
{
    struct world *world = task->world;
    (void)last;
#ifdef FIBERS
    __sanitizer_start_switch_fiber(last ? NULL : &task->fake_stack, world->bottom,
                                   world->bottom_size);
#endif
    swapcontext(&task->context, &world->context);
#ifdef FIBERS
    __sanitizer_finish_switch_fiber(task->fake_stack, &world->bottom, &world->bottom_size);
#endif
}

/* makecontext passes ints. */
static void task_main(unsigned high, unsigned low)
{
    struct task *task = (struct task *)((uintptr_t)high << 32 | (uintptr_t)low);
#ifdef FIBERS
    __sanitizer_finish_switch_fiber(NULL, &task->world->bottom, &task->world->bottom_size);
#endif
    task->run(task->ctx);
    task->done = true;
    to_world(task, true);
}

static void task_goes_on(struct world *world, void *ctx, sotto_buf *bytes, uint64_t number)
{
    struct task *task = ctx;
    (void)world;
    (void)bytes;
    if (!task->done && task->generation == number)
        to_task(task);
}

void task_start(struct world *world, struct task *task, void (*run)(void *ctx), void *ctx)
{
    *task = (struct task){.world = world, .run = run, .ctx = ctx, .stack_size = STACK_SIZE};
    task->stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (task->stack == MAP_FAILED || getcontext(&task->context) != 0)
        abort();
    task->context.uc_stack.ss_sp = task->stack;
    task->context.uc_stack.ss_size = STACK_SIZE;
    task->context.uc_link = NULL;
    uintptr_t self = (uintptr_t)task;
    makecontext(&task->context, (void (*)(void))task_main, 2, (unsigned)(self >> 32),
                (unsigned)self);
    task->started = true;
    world_at(world, world->now_ms, task_goes_on, task, NULL, task->generation);
}

void task_sleep(struct task *task, uint64_t until_ms)
{
    task->generation++;
    world_at(task->world, until_ms, task_goes_on, task, NULL, task->generation);
    to_world(task, false);
}

void task_wake(struct task *task)
{
    if (task->done)
        return;
    task->generation++;
    world_at(task->world, task->world->now_ms, task_goes_on, task, NULL, task->generation);
}

void task_free(struct task *task)
{
    if (task->started)
        (void)munmap(task->stack, task->stack_size);
    task->started = false;
}
