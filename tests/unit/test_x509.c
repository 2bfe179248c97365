/* X.509 credentials (RFC 9420, 5.3 and 5.3.1) with certificates that OpenSSL makes here. */
#include "unit/certificates.h"

#include <limits.h>

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/x509v3.h>

#include "sotto/mls_x509.h"

#define SUITE SOTTO_MLS_X25519_CHACHA_SHA256_ED25519

static uint64_t certified_now(void *ctx)
{
    (void)ctx;
    return CERTIFIED_AT;
}

static unsigned allocations_left; /* UINT_MAX: as many as are wanted */

static void *scarce(void *ctx, void *block, size_t old_size, size_t new_size)
{
    const sotto_env *system = sotto_env_system();
    (void)ctx;
    if (new_size > 0 && allocations_left != UINT_MAX && allocations_left-- == 0) {
        allocations_left = 0;
        return NULL;
    }
    return system->resize(system->ctx, block, old_size, new_size);
}

/* root -> middle -> (leaves made by the tests); other is a root of nobody. */
static struct {
    sotto_env env;
    sotto_mls_x509 *verifier;
    sotto_mls *mls;
    struct certified root, middle, other;
} world;

static int setup(void **state)
{
    (void)state;
    memset(&world, 0, sizeof world);
    world.env = *sotto_env_system();
    world.env.now = certified_now;
    world.env.resize = scarce;
    allocations_left = UINT_MAX;
    certify_new(&world.root, &(struct terms){.name = "Root", .authority = true}, NULL);
    certify_new(&world.middle, &(struct terms){.name = "Middle", .authority = true}, &world.root);
    certify_new(&world.other, &(struct terms){.name = "Other", .authority = true}, NULL);
    assert_ok(sotto_mls_x509_new(&world.env, &world.verifier));
    sotto_mls_config config = {.ctx = world.verifier,
                               .validate_leaf = sotto_mls_x509_validate_leaf};
    assert_ok(sotto_mls_new(&world.env, &config, &world.mls));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sotto_mls_free(world.mls);
    sotto_mls_x509_free(world.verifier);
    certified_free(&world.root);
    certified_free(&world.middle);
    certified_free(&world.other);
    return 0;
}

/* ---- One person -------------------------------------------------------------------------------*/

struct person {
    sotto_buf private_key, public_key;
    struct certified leaf;
    sotto_bytes chain[SOTTO_MLS_X509_CHAIN_MAX + 1];
    sotto_mls_identity identity;
};

/* An MLS public signature key as OpenSSL holds it. */
static EVP_PKEY *openssl_key(sotto_bytes key)
{
    if (key.size == 32)
        return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key.data, key.size);
    if (key.size == 57)
        return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED448, NULL, key.data, key.size);
    const char *curve = key.size == 65 ? "prime256v1" : key.size == 97 ? "secp384r1" : "secp521r1";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)curve, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)key.data,
                                          key.size),
        OSSL_PARAM_construct_end()};
    EVP_PKEY *made = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    assert_int_equal(EVP_PKEY_fromdata_init(context), 1);
    assert_int_equal(EVP_PKEY_fromdata(context, &made, EVP_PKEY_PUBLIC_KEY, params), 1);
    EVP_PKEY_CTX_free(context);
    return made;
}

/* A person of the suite, certified by issuer; the chain is the leaf and Middle. */
static void person_new(struct person *person, uint16_t suite, const struct terms *terms,
                       const struct certified *issuer)
{
    memset(person, 0, sizeof *person);
    sotto_buf_init(&person->private_key, &world.env);
    sotto_buf_init(&person->public_key, &world.env);
    assert_ok(sotto_mls_signature_key(world.mls, suite, &person->private_key, &person->public_key));
    certify_key(&person->leaf, terms, issuer, openssl_key(sotto_buf_view(&person->public_key)));
    person->chain[0] = certified_der(&person->leaf);
    person->chain[1] = certified_der(&world.middle);
    person->identity = (sotto_mls_identity){
        .suite = suite,
        .credential = {.type = SOTTO_MLS_X509, .chain = person->chain, .chain_count = 2},
        .signature_private = sotto_buf_view(&person->private_key),
        .signature_public = sotto_buf_view(&person->public_key)};
}

static void person_free(struct person *person)
{
    certified_free(&person->leaf);
    sotto_buf_free(&person->private_key);
    sotto_buf_free(&person->public_key);
}

static void trust(const struct certified *anchor)
{
    assert_ok(sotto_mls_x509_trust(world.verifier, certified_der(anchor)));
}

static sotto_error verify(const struct person *person)
{
    return sotto_mls_x509_verify(world.verifier, person->identity.suite,
                                 &person->identity.credential, person->identity.signature_public,
                                 CERTIFIED_AT);
}

static void assert_refused(const struct person *person, const char *why)
{
    assert_error(verify(person), CREDENTIAL);
    assert_string_equal(sotto_mls_x509_fault(world.verifier)->what, why);
}

/* ---- Chains ---------------------------------------------------------------------------------- */

static void a_good_chain_is_accepted_for_every_suite(void **state)
{
    (void)state;
    static const uint16_t suites[] = {1,      2,      3,      4,      5,      6,      7,
                                      0x004D, 0xFA01, 0xFA02, 0xFA03, 0xFA04, 0xFA06, 0xFA07};
    trust(&world.root);
    for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++) {
        struct person alice;
        person_new(&alice, suites[i], &(struct terms){.name = "Alice"}, &world.middle);
        assert_ok(verify(&alice));
        alice.public_key.data[alice.public_key.size - 1] ^= 1;
        assert_refused(&alice, "the certificate's key is not the signature_key");
        person_free(&alice);
    }
}

static void the_root_may_stand_in_the_chain_and_known_certificates_may_be_left_out(void **state)
{
    (void)state;
    struct person alice;
    person_new(&alice, SUITE, &(struct terms){.name = "Alice"}, &world.middle);
    trust(&world.root);
    alice.chain[2] = certified_der(&world.root);
    alice.identity.credential.chain_count = 3;
    assert_ok(verify(&alice));
    alice.identity.credential.chain_count = 1;
    assert_refused(&alice, "unable to get local issuer certificate");
    trust(&world.middle);
    assert_ok(verify(&alice));
    person_free(&alice);
}

static void another_root_is_refused(void **state)
{
    (void)state;
    struct person alice;
    person_new(&alice, SUITE, &(struct terms){.name = "Alice"}, &world.middle);
    assert_error(verify(&alice), CREDENTIAL); /* nobody is trusted */
    trust(&world.other);
    assert_refused(&alice, "unable to get local issuer certificate");
    alice.chain[2] = certified_der(&world.root);
    alice.identity.credential.chain_count = 3;
    assert_error(verify(&alice), CREDENTIAL);
    person_free(&alice);
}

static void certificates_count_only_while_they_are_valid(void **state)
{
    (void)state;
    struct person alice;
    struct terms terms = {.name = "Alice", .not_before = 1000, .not_after = 2000};
    trust(&world.root);
    person_new(&alice, SUITE, &terms, &world.middle);
    assert_refused(&alice, "certificate has expired");
    person_free(&alice);
    terms.not_before = CERTIFIED_AT + 1;
    terms.not_after = CERTIFIED_AT + 2;
    person_new(&alice, SUITE, &terms, &world.middle);
    assert_refused(&alice, "certificate is not yet valid");
    assert_error(sotto_mls_x509_verify(world.verifier, SUITE, &alice.identity.credential,
                                       alice.identity.signature_public, UINT64_MAX),
                 ARGUMENT);
    person_free(&alice);
}

static void certificates_stand_in_the_order_of_the_chain(void **state)
{
    (void)state;
    struct person alice;
    person_new(&alice, SUITE, &(struct terms){.name = "Alice"}, &world.middle);
    trust(&world.root);
    alice.identity.credential.chain_count = 3;
    alice.chain[1] = certified_der(&world.root);
    alice.chain[2] = certified_der(&world.middle);
    assert_refused(&alice, "a certificate is out of order");
    alice.chain[1] = certified_der(&world.middle);
    alice.chain[2] = certified_der(&world.other);
    assert_refused(&alice, "a certificate is out of order");
    alice.chain[0] = certified_der(&world.middle);
    alice.chain[1] = certified_der(&alice.leaf);
    alice.identity.credential.chain_count = 2;
    assert_refused(&alice, "the certificate's key is not the signature_key");
    person_free(&alice);
}

static void a_leaf_is_no_authority_and_a_key_must_be_allowed_to_sign(void **state)
{
    (void)state;
    struct certified leaf;
    struct person mallory;
    trust(&world.root);
    certify_new(&leaf, &(struct terms){.name = "Leaf"}, &world.middle);
    person_new(&mallory, SUITE, &(struct terms){.name = "Mallory"}, &leaf);
    mallory.chain[1] = certified_der(&leaf);
    mallory.chain[2] = certified_der(&world.middle);
    mallory.identity.credential.chain_count = 3;
    assert_refused(&mallory, "invalid CA certificate");
    person_free(&mallory);
    certified_free(&leaf);
    person_new(&mallory, SUITE, &(struct terms){.name = "M", .key_usage = "keyAgreement"},
               &world.middle);
    assert_refused(&mallory, "the certificate's key may not sign");
    person_free(&mallory);
    person_new(&mallory, SUITE, &(struct terms){.name = "M", .key_usage = "digitalSignature"},
               &world.middle);
    assert_ok(verify(&mallory));
    person_free(&mallory);
}

static void damaged_certificates_and_other_credentials_are_refused(void **state)
{
    (void)state;
    struct person alice;
    person_new(&alice, SUITE, &(struct terms){.name = "Alice"}, &world.middle);
    trust(&world.root);
    alice.chain[0].size++;
    assert_error(verify(&alice), VALUE); /* a byte behind the end */
    for (size_t size = 0; size < alice.leaf.size; size++) {
        alice.chain[0].size = size;
        assert_error(verify(&alice), VALUE);
    }
    alice.chain[0].size = alice.leaf.size;
    for (size_t at = 0; at < alice.leaf.size; at++) {
        alice.leaf.der[at] ^= 0x10;
        assert_string_not_equal(sotto_error_name(verify(&alice)), "OK");
        alice.leaf.der[at] ^= 0x10;
    }
    assert_ok(verify(&alice));
    alice.identity.credential.chain_count = SOTTO_MLS_X509_CHAIN_MAX + 1;
    assert_error(verify(&alice), LIMIT);
    alice.identity.credential.chain_count = 0;
    assert_error(verify(&alice), CREDENTIAL);
    alice.identity.credential.chain_count = 2;
    alice.identity.suite = 0x7777;
    assert_error(verify(&alice), UNSUPPORTED);
    alice.identity.credential.type = SOTTO_MLS_BASIC;
    assert_error(verify(&alice), CREDENTIAL);
    person_free(&alice);
}

static void anchors_come_as_pem_or_der_whole_or_not_at_all(void **state)
{
    (void)state;
    struct person alice;
    sotto_buf pem;
    sotto_buf_init(&pem, &world.env);
    person_new(&alice, SUITE, &(struct terms){.name = "Alice"}, &world.middle);
    certified_pem(&world.root, &pem);
    size_t one = pem.size;
    certified_pem(&world.other, &pem);
    pem.data[one + 60] = '!';
    assert_error(sotto_mls_x509_trust(world.verifier, sotto_buf_view(&pem)), VALUE);
    assert_error(verify(&alice), CREDENTIAL); /* the first one was not added either */
    pem.size = one;
    assert_ok(sotto_mls_x509_trust(world.verifier, sotto_buf_view(&pem)));
    assert_ok(sotto_mls_x509_trust(world.verifier, sotto_buf_view(&pem)));
    assert_ok(verify(&alice));
    assert_error(sotto_mls_x509_trust(world.verifier, sotto_bytes_str("")), VALUE);
    assert_error(sotto_mls_x509_trust(world.verifier, sotto_bytes_str("no certificate")), VALUE);
    assert_error(sotto_mls_x509_trust(world.verifier, sotto_bytes_of(world.root.der, 40)), VALUE);
    assert_error(
        sotto_mls_x509_trust(world.verifier, sotto_bytes_of(world.root.der, world.root.size + 1)),
        TRAILING);
    sotto_buf_free(&pem);
    person_free(&alice);
}

/* ---- Names ----------------------------------------------------------------------------------- */

static sotto_error write_name(void *ctx, sotto_mls_x509_name kind, sotto_bytes name)
{
    uint8_t digit = (uint8_t)('0' + kind);
    assert_ok(sotto_buf_append(ctx, &digit, 1));
    assert_ok(sotto_buf_append(ctx, name.data, name.size));
    return sotto_buf_append(ctx, (const uint8_t *)"\n", 1);
}

static sotto_error stop(void *ctx, sotto_mls_x509_name kind, sotto_bytes name)
{
    (void)ctx, (void)kind, (void)name;
    return SOTTO_BUSY;
}

static void a_certificate_tells_its_names(void **state)
{
    (void)state;
    struct person alice;
    sotto_buf names;
    sotto_buf_init(&names, &world.env);
    person_new(&alice, SUITE,
               &(struct terms){.name = "Älice, of A",
                               .alternative = "URI:im:alice@a.example,email:alice@a.example,"
                                              "IP:192.0.2.1,DNS:alice.a.example"},
               &world.middle);
    assert_ok(sotto_mls_x509_names(world.verifier, &alice.identity.credential, write_name, &names));
    assert_bytes(sotto_buf_view(&names),
                 sotto_bytes_str("3im:alice@a.example\n2alice@a.example\n1alice.a.example\n"
                                 "4CN=Älice\\, of A\n"));
    assert_error(sotto_mls_x509_names(world.verifier, &alice.identity.credential, stop, NULL),
                 BUSY);
    sotto_buf_free(&names);
    person_free(&alice);
}

static void a_name_with_a_nul_byte_and_a_second_list_of_names_are_refused(void **state)
{
    (void)state;
    static const uint8_t nul[] = {0x30, 5, 0x82, 3, 'a', 0, 'b'};
    static const uint8_t plain[] = {0x30, 3, 0x82, 1, 'a'};
    struct person alice;
    sotto_buf names;
    sotto_buf_init(&names, &world.env);
    person_new(&alice, SUITE, &(struct terms){.name = "Alice"}, &world.middle);
    certify_extension(&alice.leaf, &world.middle, NID_subject_alt_name,
                      sotto_bytes_of(nul, sizeof nul));
    alice.chain[0] = certified_der(&alice.leaf);
    assert_error(
        sotto_mls_x509_names(world.verifier, &alice.identity.credential, write_name, &names),
        CREDENTIAL);
    certify_extension(&alice.leaf, &world.middle, NID_subject_alt_name,
                      sotto_bytes_of(plain, sizeof plain));
    alice.chain[0] = certified_der(&alice.leaf);
    assert_error(
        sotto_mls_x509_names(world.verifier, &alice.identity.credential, write_name, &names),
        VALUE);
    sotto_buf_free(&names);
    person_free(&alice);
}

/* ---- In a group ------------------------------------------------------------------------------ */

/* Alice's group adds bob, who joins; both with the shipped callback. */
static sotto_error add(sotto_mls_group *at_alice, const struct person *bob,
                       sotto_mls_group **at_bob)
{
    sotto_buf package, secrets, commit, welcome;
    sotto_buf *all[] = {&package, &secrets, &commit, &welcome};
    for (size_t i = 0; i < 4; i++)
        sotto_buf_init(all[i], &world.env);
    assert_ok(sotto_mls_key_package(world.mls, &bob->identity, CERTIFIED_AT - 10, CERTIFIED_AT + 10,
                                    0, &package, &secrets));
    sotto_mls_proposal proposal = {.type = SOTTO_MLS_ADD,
                                   .u.add.key_package = sotto_buf_view(&package)};
    sotto_mls_commit_options options = {.proposals = &proposal, .proposal_count = 1};
    sotto_mls_staged *staged;
    sotto_error error = sotto_mls_commit(at_alice, &options, &commit, &welcome, &staged);
    if (error == SOTTO_OK) {
        sotto_mls_staged_apply(at_alice, staged);
        assert_ok(sotto_mls_join(world.mls, &bob->identity, sotto_buf_view(&package),
                                 sotto_buf_view(&secrets), sotto_buf_view(&welcome),
                                 sotto_bytes_str(""), at_bob));
    }
    for (size_t i = 0; i < 4; i++)
        sotto_buf_free(all[i]);
    return error;
}

/* Bob commits with a new certificate for his key, and alice looks at it. */
static sotto_error renew(sotto_mls_group *at_alice, sotto_mls_group *at_bob,
                         const struct person *bob, const struct terms *terms)
{
    struct certified renewed;
    EVP_PKEY_up_ref(bob->leaf.key);
    certify_key(&renewed, terms, &world.middle, bob->leaf.key);
    sotto_bytes chain[] = {certified_der(&renewed), certified_der(&world.middle)};
    sotto_mls_identity identity = bob->identity;
    identity.credential.chain = chain;
    sotto_mls_commit_options options = {.identity = &identity};
    sotto_buf commit, welcome;
    sotto_buf_init(&commit, &world.env);
    sotto_buf_init(&welcome, &world.env);
    sotto_mls_staged *staged;
    assert_ok(sotto_mls_commit(at_bob, &options, &commit, &welcome, &staged));
    sotto_mls_staged_drop(staged);
    sotto_mls_received received;
    sotto_error error = sotto_mls_process(at_alice, sotto_buf_view(&commit), &received);
    if (error == SOTTO_OK)
        sotto_mls_received_clear(&received);
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
    certified_free(&renewed);
    return error;
}

static void a_group_takes_certified_members_and_successors_of_the_same_names(void **state)
{
    (void)state;
    struct person alice, bob, mallory;
    sotto_mls_group *at_alice, *at_bob, *at_mallory;
    trust(&world.root);
    person_new(&alice, SUITE, &(struct terms){.name = "Alice"}, &world.middle);
    person_new(&bob, SUITE,
               &(struct terms){.name = "Bob", .alternative = "DNS:b.example,DNS:b2.example"},
               &world.middle);
    person_new(&mallory, SUITE, &(struct terms){.name = "Bob"}, &world.other);
    mallory.chain[1] = certified_der(&world.other);
    assert_ok(sotto_mls_group_create(world.mls, &alice.identity, sotto_bytes_str("group"), NULL, 0,
                                     &at_alice));
    assert_error(add(at_alice, &mallory, &at_mallory), CREDENTIAL);
    assert_string_equal(sotto_mls_x509_fault(world.verifier)->what,
                        "self-signed certificate in certificate chain");
    assert_ok(add(at_alice, &bob, &at_bob));
    assert_ok(renew(at_alice, at_bob, &bob,
                    &(struct terms){.name = "Bob", .alternative = "DNS:b2.example,DNS:b.example"}));
    static const char *others[] = {"DNS:b.example", "DNS:b.example,DNS:b2.example,DNS:c.example",
                                   "email:b.example,DNS:b2.example"};
    for (size_t i = 0; i < 3; i++) {
        assert_error(
            renew(at_alice, at_bob, &bob, &(struct terms){.name = "Bob", .alternative = others[i]}),
            CREDENTIAL);
        assert_string_equal(sotto_mls_x509_fault(world.verifier)->what,
                            "the successor of a leaf presents other names");
    }
    sotto_mls_group_free(at_bob);
    sotto_mls_group_free(at_alice);
    person_free(&alice);
    person_free(&bob);
    person_free(&mallory);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    sotto_mls_x509 *none = NULL;
    allocations_left = 0;
    assert_error(sotto_mls_x509_new(&world.env, &none), NO_MEMORY);
    assert_null(none);
    allocations_left = UINT_MAX;

    struct person bob;
    sotto_mls_group *group;
    trust(&world.root);
    person_new(&bob, SUITE, &(struct terms){.name = "Bob", .alternative = "DNS:b.example"},
               &world.middle);
    assert_ok(sotto_mls_group_create(world.mls, &bob.identity, sotto_bytes_str("group"), NULL, 0,
                                     &group));
    sotto_mls_leaf leaf = {.credential = bob.identity.credential,
                           .signature_key = bob.identity.signature_public};
    unsigned failed = 0;
    for (sotto_error error = SOTTO_NO_MEMORY; error != SOTTO_OK; failed++) {
        allocations_left = failed;
        error = sotto_mls_x509_validate_leaf(world.verifier, group, &leaf, &leaf);
        if (error != SOTTO_OK)
            assert_error(error, NO_MEMORY);
        assert_int_equal(sotto_mls_x509_fault(world.verifier)->error, error);
    }
    assert_true(failed > 2);
    allocations_left = UINT_MAX;
    sotto_mls_group_free(group);
    person_free(&bob);
}

int main(void)
{
#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        IN_WORLD(a_good_chain_is_accepted_for_every_suite),
        IN_WORLD(the_root_may_stand_in_the_chain_and_known_certificates_may_be_left_out),
        IN_WORLD(another_root_is_refused),
        IN_WORLD(certificates_count_only_while_they_are_valid),
        IN_WORLD(certificates_stand_in_the_order_of_the_chain),
        IN_WORLD(a_leaf_is_no_authority_and_a_key_must_be_allowed_to_sign),
        IN_WORLD(damaged_certificates_and_other_credentials_are_refused),
        IN_WORLD(anchors_come_as_pem_or_der_whole_or_not_at_all),
        IN_WORLD(a_certificate_tells_its_names),
        IN_WORLD(a_name_with_a_nul_byte_and_a_second_list_of_names_are_refused),
        IN_WORLD(a_group_takes_certified_members_and_successors_of_the_same_names),
        IN_WORLD(every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("x509", tests, NULL, NULL);
}
