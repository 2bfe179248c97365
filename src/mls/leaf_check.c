/* Rules for one LeafNode (RFC 9420, 7.3) and one KeyPackage (10.1), whatever tree it comes into. */
#include "mls/tree_base.h"

static bool has_all(struct u16_list listed, struct u16_list wanted, bool (*is_default)(uint16_t))
{
    for (size_t i = 0; i < u16_list_count(wanted); i++) {
        uint16_t type = u16_list_at(wanted, i);
        if (!(is_default != NULL && is_default(type)) && !u16_list_has(listed, type))
            return false;
    }
    return true;
}

/* 7.2, 7.3: a leaf must list what it uses. */
static sotto_error check_capabilities(const struct suite *suite, const struct leaf_node *leaf,
                                      sotto_fault *fault)
{
    const struct capabilities *listed = &leaf->capabilities;
    if (!u16_list_has(listed->versions, MLS_VERSION_10))
        return refuse(fault, SOTTO_CAPABILITY, "Capabilities.versions: without the group's");
    if (!u16_list_has(listed->suites, suite->id))
        return refuse(fault, SOTTO_CAPABILITY, "Capabilities.cipher_suites: without the group's");
    if (!u16_list_has(listed->credentials, leaf->credential.type))
        return refuse(fault, SOTTO_CAPABILITY, "Capabilities.credentials: without the leaf's own");
    for (size_t i = 0; i < leaf->extensions.count; i++) {
        uint16_t type = leaf->extensions.items[i].type;
        if (!extension_is_default(type) && !u16_list_has(listed->extensions, type))
            return refuse(fault, SOTTO_CAPABILITY, "Capabilities.extensions: without a leaf's own");
    }
    return SOTTO_OK;
}

static sotto_error check_required(const struct leaf_node *leaf,
                                  const struct required_capabilities *required, sotto_fault *fault)
{
    const struct capabilities *listed = &leaf->capabilities;
    if (!has_all(listed->extensions, required->extensions, extension_is_default))
        return refuse(fault, SOTTO_CAPABILITY, "Capabilities.extensions: without a required one");
    if (!has_all(listed->proposals, required->proposals, proposal_is_default))
        return refuse(fault, SOTTO_CAPABILITY, "Capabilities.proposals: without a required one");
    if (!has_all(listed->credentials, required->credentials, NULL))
        return refuse(fault, SOTTO_CAPABILITY, "Capabilities.credentials: without a required one");
    return SOTTO_OK;
}

static sotto_error check_lifetime(const struct leaf_node *leaf, const struct leaf_rules *rules,
                                  sotto_fault *fault)
{
    if (leaf->source != LEAF_SOURCE_KEY_PACKAGE)
        return SOTTO_OK;
    if (leaf->not_before > leaf->not_after)
        return refuse(fault, SOTTO_LIFETIME, "Lifetime: it ends before it begins");
    if (!rules->check_lifetime)
        return SOTTO_OK;
    if (rules->max_lifetime_s > 0 && leaf->not_after - leaf->not_before > rules->max_lifetime_s)
        return refuse(fault, SOTTO_LIFETIME, "Lifetime: longer than is acceptable"); /* 7.2 */
    if (rules->now < leaf->not_before)
        return refuse(fault, SOTTO_LIFETIME, "Lifetime.not_before");
    if (rules->now > leaf->not_after)
        return refuse(fault, SOTTO_LIFETIME, "Lifetime.not_after");
    return SOTTO_OK;
}

sotto_error leaf_node_check_fields(struct crypto *crypto, const struct suite *suite,
                                   const struct leaf_node *leaf, const struct leaf_rules *rules,
                                   sotto_fault *fault)
{
    /* 7.3: the source must be the one of the place where the leaf was found. */
    if (rules->source != 0 && leaf->source != rules->source)
        return refuse(fault, SOTTO_VALUE, "LeafNode.leaf_node_source: not the one for this place");
    TRY(check_capabilities(suite, leaf, fault));
    if (rules->required != NULL)
        TRY(check_required(leaf, rules->required, fault));
    TRY(check_lifetime(leaf, rules, fault));
    sotto_error error = crypto_kem_check(crypto, suite, leaf->encryption_key);
    return error == SOTTO_OK ? SOTTO_OK : refuse(fault, error, "LeafNode.encryption_key");
}

static sotto_error check_signature(struct crypto *crypto, const struct suite *suite,
                                   const struct leaf_node *leaf, const struct leaf_rules *rules,
                                   sotto_fault *fault)
{
    sotto_error error = leaf_node_verify(crypto, suite, leaf, rules->group_id, rules->index);
    if (error == SOTTO_KEY)
        return refuse(fault, error, "LeafNode.signature_key");
    return error == SOTTO_OK ? SOTTO_OK : refuse(fault, error, "LeafNode.signature");
}

sotto_error leaf_node_check(struct crypto *crypto, const struct suite *suite,
                            const struct leaf_node *leaf, const struct leaf_rules *rules,
                            sotto_fault *fault)
{
    TRY(leaf_node_check_fields(crypto, suite, leaf, rules, fault));
    return check_signature(crypto, suite, leaf, rules, fault);
}

sotto_error key_package_check(struct crypto *crypto, const struct suite *suite,
                              const struct key_package *key_package, const struct leaf_rules *rules,
                              sotto_fault *fault)
{
    if (key_package->version != MLS_VERSION_10)
        return refuse(fault, SOTTO_VERSION, "KeyPackage.version");
    if (key_package->suite != suite->id)
        return refuse(fault, SOTTO_UNSUPPORTED, "KeyPackage.cipher_suite: not the group's");
    struct leaf_rules leaf_rules = *rules;
    leaf_rules.source = LEAF_SOURCE_KEY_PACKAGE;
    TRY(leaf_node_check_fields(crypto, suite, &key_package->leaf, &leaf_rules, fault));
    if (!key_package->verified)
        TRY(check_signature(crypto, suite, &key_package->leaf, &leaf_rules, fault));
    sotto_error error = crypto_kem_check(crypto, suite, key_package->init_key);
    if (error != SOTTO_OK)
        return refuse(fault, error, "KeyPackage.init_key");
    if (sotto_bytes_equal(key_package->init_key, key_package->leaf.encryption_key))
        return refuse(fault, SOTTO_KEY, "KeyPackage.init_key: the same as encryption_key");
    if (!key_package->verified)
        error = key_package_verify(crypto, suite, key_package);
    return error == SOTTO_OK ? SOTTO_OK : refuse(fault, error, "KeyPackage.signature");
}
