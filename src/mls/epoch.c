#include "mls/epoch.h"

sotto_error epoch_new_decoded(sotto_mls *mls, const struct suite *suite, sotto_bytes context,
                              struct epoch **epoch)
{
    struct epoch *made = mem_alloc(mls->env, sizeof *made);
    if (made == NULL)
        return mls_fail(mls, SOTTO_NO_MEMORY, "epoch");
    made->mls = mls;
    made->suite = suite;
    sotto_buf_init(&made->context, mls->env);
    arena_init(&made->arena, mls->env);
    sotto_error error = sotto_buf_append(&made->context, context.data, context.size);
    if (error == SOTTO_OK) {
        struct reader r;
        reader_init(&r, sotto_buf_view(&made->context));
        group_context_read(&r, &made->arena, &made->fields);
        error = reader_finish(&r, "GroupContext");
        if (error != SOTTO_OK)
            mls_fail_at(mls, r.fault);
    }
    if (error == SOTTO_OK && made->fields.suite != suite->id)
        error = mls_fail(mls, SOTTO_VALUE, "GroupContext.cipher_suite");
    if (error != SOTTO_OK) {
        epoch_free(made);
        return mls_check(mls, error, "GroupContext");
    }
    *epoch = made;
    return SOTTO_OK;
}

sotto_error epoch_new(sotto_mls *mls, const struct suite *suite,
                      const struct group_context *context, struct epoch **epoch)
{
    sotto_buf wire;
    sotto_buf_init(&wire, mls->env);
    struct writer w;
    writer_init(&w, &wire);
    group_context_write(&w, context);
    sotto_error error = mls_check(mls, writer_finish(&w), "GroupContext");
    if (error == SOTTO_OK)
        error = epoch_new_decoded(mls, suite, sotto_buf_view(&wire), epoch);
    sotto_buf_free(&wire);
    return error;
}

void epoch_free(struct epoch *epoch)
{
    if (epoch == NULL)
        return;
    const sotto_env *env = epoch->mls->env;
    secret_tree_free(&epoch->tree);
    sotto_buf_free(&epoch->context);
    arena_free(&epoch->arena);
    mem_free(env, epoch, sizeof *epoch);
}

/* 6.1 and 8.2: the tag of what was confirmed, and the interim hash of both. */
static sotto_error finish_transcript(struct epoch *epoch)
{
    struct crypto *crypto = epoch->mls->crypto;
    sotto_bytes confirmed = epoch->fields.confirmed_transcript_hash;
    TRY(transcript_tag(crypto, epoch->suite, secret_view(&epoch->secrets.confirmation_key),
                       confirmed, &epoch->confirmation_tag));
    return transcript_interim(crypto, epoch->suite, confirmed, hash_view(&epoch->confirmation_tag),
                              &epoch->interim);
}

sotto_error epoch_enter(struct epoch *epoch, sotto_bytes member)
{
    TRY(key_schedule_epoch(epoch->mls->crypto, epoch->suite, member,
                           sotto_buf_view(&epoch->context), &epoch->secrets));
    return finish_transcript(epoch);
}

sotto_error epoch_enter_first(struct epoch *epoch, sotto_bytes epoch_secret)
{
    TRY(key_schedule_derive(epoch->mls->crypto, epoch->suite, epoch_secret, &epoch->secrets));
    return finish_transcript(epoch);
}

sotto_error epoch_open_messages(struct epoch *epoch, uint32_t leaf_count)
{
    sotto_error error = secret_tree_init(&epoch->tree, epoch->mls->crypto, epoch->suite, leaf_count,
                                         secret_view(&epoch->secrets.encryption));
    if (error == SOTTO_OK)
        secret_wipe(&epoch->secrets.encryption); /* 9.2: the tree's root is all that is kept */
    return error;
}

struct message_keys epoch_keys(struct epoch *epoch)
{
    return (struct message_keys){
        .crypto = epoch->mls->crypto,
        .suite = epoch->suite,
        .group_context = sotto_buf_view(&epoch->context),
        .sender_data_secret = secret_view(&epoch->secrets.sender_data),
        .membership_key = secret_view(&epoch->secrets.membership_key),
        .tree = &epoch->tree,
        .limits = epoch->mls->limits,
    };
}
