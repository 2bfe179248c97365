/* The settings: where they come from, and what a reload may change. */
#include "unit/check.h"

#include <stdlib.h>
#include <unistd.h>

#include "relay/config.h"

static char path[] = "/tmp/sotto-config-XXXXXX";

static int begin(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    setenv("SOTTO_DATA", "/tmp/none", 1);
    return 0;
}

static int end(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

static void write_config(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static bool read_with(struct config *config, const char *const *more, char problem[static 1024])
{
    static char *argv[8];
    int argc = 0;
    argv[argc++] = (char *)"sottod";
    for (; more != NULL && *more != NULL; more++)
        argv[argc++] = (char *)*more;
    return config_read(config, argc, argv, problem);
}

/* Every `#name = value` of the example without its #. */
static void the_example_holds_every_setting_with_its_default(void **state)
{
    (void)state;
    static char text[65536];
    static struct config built_in, example;
    char line[1024], problem[1024] = "";
    size_t size = 0, settings = 0;
    FILE *file = fopen(getenv("SOTTOD_CONF"), "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        bool is_setting = line[0] == '#' && line[1] >= 'a' && line[1] <= 'z';
        settings += is_setting;
        size += (size_t)snprintf(text + size, sizeof text - size, "%s", line + is_setting);
    }
    fclose(file);
    assert_true(settings >= 20);
    write_config(text);
    assert_true(read_with(&built_in, NULL, problem));
    if (!read_with(&example, (const char *const[]){"--config", path, NULL}, problem))
        fail_msg("%s", problem);
    assert_int_equal(example.listen_count, 1);
    assert_string_equal(example.listen[0], "*:7443");
    memset(example.listen, 0, sizeof example.listen);
    memset(example.file, 0, sizeof example.file);
    example.listen_count = 0;
    example.argc = built_in.argc;
    example.argv = built_in.argv;
    assert_memory_equal(&example, &built_in, sizeof built_in);
}

static void what_is_wrong_is_named_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *problem;
    } cases[] = {
        {"name = a\nrooms = 5\n", "line 2 of the configuration file: no setting `rooms`"},
        {"retention-days = 0\n", "line 1 of the configuration file: retention-days takes"},
        {"\n\nlog-format = xml\n", "line 3 of the configuration file: log-format takes"},
        {"trusted-proxy = 10.0.0.1/8\n",
         "line 1 of the configuration file: trusted-proxy takes ADDR[/BITS]"},
        {"trusted-proxy = proxy.example\n", "trusted-proxy takes"},
        {"data = /tmp/x\n", "no setting `data`"},
        {"words\n", "line 1 of the configuration file is not"},
        {"certificate = /tmp/x\n", "--certificate and --key go together"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static struct config config;
        char problem[1024] = "";
        write_config(cases[i].text);
        assert_false(read_with(&config, (const char *const[]){"--config", path, NULL}, problem));
        if (strstr(problem, cases[i].problem) == NULL)
            fail_msg("%s", problem);
    }
}

static void note(void *ctx, const char *name)
{
    char *names = ctx;
    strcat(strcat(names, name), " ");
}

static void of_trusted_proxies_there_are_many_and_a_list_replaces_a_list(void **state)
{
    (void)state;
    static struct config config, fresh;
    char problem[1024] = "", names[256] = "";
    const struct ip one = ip_v4((const uint8_t[]){192, 0, 2, 1});
    const struct ip two = ip_v4((const uint8_t[]){10, 9, 8, 7});
    const char *const file[] = {"--config", path, NULL};
    const char *const both[] = {"--config", path, "--trusted-proxy", "10.0.0.0/8", NULL};
    assert_true(read_with(&config, NULL, problem));
    assert_int_equal(config.trusted_proxies.count, 0);
    write_config("trusted-proxy = 192.0.2.1\ntrusted-proxy = 2001:db8::/32\n");
    assert_true(read_with(&config, file, problem));
    assert_int_equal(config.trusted_proxies.count, 2);
    assert_true(networks_contain(&config.trusted_proxies, &one));
    assert_false(networks_contain(&config.trusted_proxies, &two));
    assert_true(read_with(&fresh, both, problem));
    assert_int_equal(fresh.trusted_proxies.count, 1);
    assert_false(networks_contain(&fresh.trusted_proxies, &one));
    assert_true(networks_contain(&fresh.trusted_proxies, &two));
    write_config("trusted-proxy = 10.9.8.7\n");
    assert_true(read_with(&config, file, problem));
    write_config("trusted-proxy = 192.0.2.1\n");
    assert_true(config_reread(&config, &fresh, note, names, problem)); /* live */
    assert_string_equal(names, "");
    assert_int_equal(fresh.trusted_proxies.count, 1);
    assert_true(networks_contain(&fresh.trusted_proxies, &one));
    write_config("");
    assert_true(config_reread(&fresh, &config, note, names, problem));
    assert_int_equal(config.trusted_proxies.count, 0);
}

static void a_reload_changes_some_and_keeps_the_others(void **state)
{
    (void)state;
    static struct config config, fresh;
    char problem[1024] = "", names[256] = "";
    const char *const arguments[] = {"--config", path, "--room-days", "400", NULL};
    write_config("name = one\nthreads = 2\nlisten = 127.0.0.1:1\n");
    assert_true(read_with(&config, arguments, problem));
    write_config("name = two\nthreads = 3\nretention-days = 7\nroom-days = 100\n"
                 "listen = 127.0.0.1:2\n");
    assert_true(config_reread(&config, &fresh, note, names, problem));
    assert_string_equal(fresh.name, "two");
    assert_int_equal(fresh.retention_days, 7);
    assert_int_equal(fresh.room_days, 400); /* the command line wins again */
    assert_int_equal(fresh.threads, 2);
    assert_int_equal(fresh.listen_count, 1);
    assert_string_equal(fresh.listen[0], "127.0.0.1:1");
    assert_string_equal(names, "listen threads ");
    write_config("name = two\nthreads = many\n");
    assert_false(config_reread(&config, &fresh, note, names, problem));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_holds_every_setting_with_its_default),
        cmocka_unit_test(what_is_wrong_is_named_with_its_line),
        cmocka_unit_test(of_trusted_proxies_there_are_many_and_a_list_replaces_a_list),
        cmocka_unit_test(a_reload_changes_some_and_keeps_the_others),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
