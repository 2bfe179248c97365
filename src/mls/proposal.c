#include "mls/proposal.h"

#include "mls/limits.h"

bool proposal_requires_path(uint16_t type)
{
    return type != PROPOSAL_ADD && type != PROPOSAL_PSK && type != PROPOSAL_REINIT;
}

/* RFC 9420, 12.1.8. */
bool proposal_external_allowed(uint16_t type)
{
    return type == PROPOSAL_ADD || type == PROPOSAL_REMOVE || type == PROPOSAL_PSK ||
           type == PROPOSAL_REINIT || type == PROPOSAL_GROUP_CONTEXT_EXTENSIONS;
}

static void reinit_read(struct reader *reader, struct arena *arena, struct reinit *reinit)
{
    reinit->group_id = reader_vector(reader, LIMIT_GROUP_ID, "ReInit.group_id");
    reinit->version = reader_u16(reader, "ReInit.version");
    reinit->suite = reader_u16(reader, "ReInit.cipher_suite");
    extensions_read(reader, arena, LIMIT_EXTENSIONS, &reinit->extensions, "ReInit.extensions");
}

void proposal_read(struct reader *reader, struct arena *arena, struct proposal *proposal)
{
    *proposal = (struct proposal){.type = reader_u16(reader, "Proposal.proposal_type")};
    if (reader_ok(reader))
        proposal_body_read(reader, arena, proposal);
}

void proposal_body_read(struct reader *reader, struct arena *arena, struct proposal *proposal)
{
    switch (proposal->type) {
    case PROPOSAL_ADD:
        proposal->u.add = arena_array(arena, 1, sizeof *proposal->u.add);
        if (proposal->u.add == NULL)
            reader_fail(reader, SOTTO_NO_MEMORY, "Add");
        else
            key_package_read(reader, arena, proposal->u.add);
        break;
    case PROPOSAL_UPDATE:
        proposal->u.update = arena_array(arena, 1, sizeof *proposal->u.update);
        if (proposal->u.update == NULL)
            reader_fail(reader, SOTTO_NO_MEMORY, "Update");
        else
            leaf_node_read(reader, arena, proposal->u.update);
        break;
    case PROPOSAL_REMOVE:
        proposal->u.removed = reader_u32(reader, "Remove.removed");
        break;
    case PROPOSAL_PSK:
        psk_id_read(reader, &proposal->u.psk);
        break;
    case PROPOSAL_REINIT:
        reinit_read(reader, arena, &proposal->u.reinit);
        break;
    case PROPOSAL_EXTERNAL_INIT:
        proposal->u.kem_output = reader_vector(reader, LIMIT_KEM_OUTPUT, "ExternalInit.kem_output");
        break;
    case PROPOSAL_GROUP_CONTEXT_EXTENSIONS:
        extensions_read(reader, arena, LIMIT_EXTENSIONS, &proposal->u.extensions,
                        "GroupContextExtensions.extensions");
        break;
    case PROPOSAL_SELF_REMOVE:
        break;
    case 0:
        reader_fail(reader, SOTTO_VALUE, "Proposal.proposal_type");
        break;
    default:
        proposal->u.other = reader_vector(reader, LIMIT_PROPOSAL, "Proposal.content");
    }
}

void proposal_write(struct writer *writer, const struct proposal *proposal)
{
    writer_u16(writer, proposal->type);
    proposal_body_write(writer, proposal);
}

void proposal_body_write(struct writer *writer, const struct proposal *proposal)
{
    switch (proposal->type) {
    case PROPOSAL_ADD:
        key_package_write(writer, proposal->u.add);
        break;
    case PROPOSAL_UPDATE:
        leaf_node_write(writer, proposal->u.update);
        break;
    case PROPOSAL_REMOVE:
        writer_u32(writer, proposal->u.removed);
        break;
    case PROPOSAL_PSK:
        psk_id_write(writer, &proposal->u.psk);
        break;
    case PROPOSAL_REINIT:
        writer_vector(writer, proposal->u.reinit.group_id);
        writer_u16(writer, proposal->u.reinit.version);
        writer_u16(writer, proposal->u.reinit.suite);
        extensions_write(writer, &proposal->u.reinit.extensions);
        break;
    case PROPOSAL_EXTERNAL_INIT:
        writer_vector(writer, proposal->u.kem_output);
        break;
    case PROPOSAL_GROUP_CONTEXT_EXTENSIONS:
        extensions_write(writer, &proposal->u.extensions);
        break;
    case PROPOSAL_SELF_REMOVE:
        break;
    default:
        writer_vector(writer, proposal->u.other);
    }
}

enum { OR_REF_PROPOSAL = 1, OR_REF_REFERENCE = 2 };

static void proposal_or_ref_read(struct reader *reader, struct arena *arena,
                                 struct proposal_or_ref *entry)
{
    uint8_t type = reader_u8(reader, "ProposalOrRef.type");
    if (type == OR_REF_PROPOSAL) {
        proposal_read(reader, arena, &entry->proposal);
    } else if (type == OR_REF_REFERENCE) {
        entry->by_reference = true;
        entry->reference = reader_vector(reader, LIMIT_HASH, "ProposalOrRef.reference");
    } else {
        reader_fail(reader, SOTTO_VALUE, "ProposalOrRef.type");
    }
}

/* Grows a list in the arena by doubling: the old block stays until the arena goes. */
static bool grow(struct arena *arena, struct commit *commit, size_t *capacity)
{
    if (commit->proposal_count < *capacity)
        return true;
    size_t larger = *capacity == 0 ? 4 : *capacity * 2;
    struct proposal_or_ref *list = arena_array(arena, larger, sizeof *list);
    if (list == NULL)
        return false;
    for (size_t i = 0; i < commit->proposal_count; i++)
        list[i] = commit->proposals[i];
    commit->proposals = list;
    *capacity = larger;
    return true;
}

void commit_read(struct reader *reader, struct arena *arena, struct commit *commit)
{
    *commit = (struct commit){0};
    struct reader list;
    reader_enter(reader, &list, LIMIT_MESSAGE, "Commit.proposals");
    size_t capacity = 0;
    while (reader_more(&list)) {
        if (commit->proposal_count == LIMIT_PROPOSALS) {
            reader_fail(&list, SOTTO_LIMIT, "Commit.proposals");
            break;
        }
        if (!grow(arena, commit, &capacity)) {
            reader_fail(&list, SOTTO_NO_MEMORY, "Commit.proposals");
            break;
        }
        proposal_or_ref_read(&list, arena, &commit->proposals[commit->proposal_count++]);
    }
    reader_leave(reader, &list, "Commit.proposals");
    if (!reader_present(reader, "Commit.path"))
        return;
    commit->path = arena_array(arena, 1, sizeof *commit->path);
    if (commit->path == NULL)
        reader_fail(reader, SOTTO_NO_MEMORY, "Commit.path");
    else
        update_path_read(reader, arena, commit->path);
}

void commit_write(struct writer *writer, const struct commit *commit)
{
    size_t list = writer_open(writer);
    for (size_t i = 0; i < commit->proposal_count; i++) {
        const struct proposal_or_ref *entry = &commit->proposals[i];
        writer_u8(writer, entry->by_reference ? OR_REF_REFERENCE : OR_REF_PROPOSAL);
        if (entry->by_reference)
            writer_vector(writer, entry->reference);
        else
            proposal_write(writer, &entry->proposal);
    }
    writer_close(writer, list);
    writer_present(writer, commit->path != NULL);
    if (commit->path != NULL)
        update_path_write(writer, commit->path);
}
