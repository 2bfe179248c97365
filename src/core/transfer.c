#include "core/transfer.h"

#include "core/internal.h"

const char *sotto_transfer_kind_name(enum sotto_transfer_kind kind)
{
    switch (kind) {
    case SOTTO_TRANSFER_READING:
        return "reading";
    case SOTTO_TRANSFER_SENDING:
        return "sending";
    case SOTTO_TRANSFER_FETCHING:
        return "fetching";
    }
    return "unknown";
}

void sotto_on_transfer(struct sotto *core, sotto_transfer_fn *each, void *ctx)
{
    core->on_transfer = each;
    core->on_transfer_ctx = ctx;
}

void transfer_tell(struct sotto *core, struct transfer *transfer, const struct sotto_transfer *how,
                   bool ended)
{
    if (core->on_transfer == NULL || (!ended && transfer->told && how->done >= how->of))
        return;
    const uint64_t now = net_now_ms(core);
    if (!ended && transfer->told && now - transfer->told_ms < 1000 / SOTTO_TRANSFERS_A_SECOND)
        return;
    transfer->told = true;
    transfer->told_ms = now;
    core->on_transfer(core->on_transfer_ctx, how);
}
