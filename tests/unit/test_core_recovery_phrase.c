/* The account key in words, against the vectors that BIP-39's reference implementation publishes.
 */
#include <stdlib.h>
#include <string.h>

#include "core/recovery_phrase.h"
#include "unit/check.h"

/* Trezor's vectors.json (python-mnemonic 0.21), those of 24 words: one byte 32 times, or random. */
static const struct {
    const char *seed; /* hex; two digits: that byte everywhere */
    const char *phrase;
} vectors[] = {
    {"00",
     "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon "
     "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon "
     "abandon art"},
    {"7f", "legal winner thank year wave sausage worth useful legal winner thank year wave sausage "
           "worth useful legal winner thank year wave sausage worth title"},
    {"80",
     "letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount "
     "doctor acoustic avoid letter advice cage absurd amount doctor acoustic bless"},
    {"ff",
     "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo "
     "zoo vote"},
    {"68a79eaca2324873eacc50cb9c6eca8cc68ea5d936f98787c60c7ebc74e6ce7c",
     "hamster diagram private dutch cause delay private meat slide toddler razor book happy fancy "
     "gospel tennis maple dilemma loan word shrug inflict delay length"},
    {"9f6a2878b2520799a44ef18bc7df394e7061a224d2c33cd015b157d746869863",
     "panda eyebrow bullet gorilla call smoke muffin taste mesh discover soft ostrich alcohol "
     "speed "
     "nation flash devote level hobby quick inner drive ghost inside"},
    {"066dca1a2bb7e8a1db2832148ce9933eea0f3ac9548d793112d9a95c9407efad",
     "all hour make first leader extend hole alien behind guard gospel lava path output census "
     "museum junior mass reopen famous sing advance salt reform"},
    {"f585c11aec520db57dd353c69554b21a89b20fb0650966fa0a9d6f74fd989d8f",
     "void come effort suffer camp survey warrior heavy shoot primary clutch crush open amazing "
     "screen patrol group space point ten exist slush involve unfold"},
};

static void seed_of(const char *hex, uint8_t seed[static SIGN_SEED_SIZE])
{
    for (size_t i = 0; i < SIGN_SEED_SIZE; i++) {
        char pair[3] = {0};
        memcpy(pair, hex + (strlen(hex) == 2 ? 0 : 2 * i), 2);
        seed[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
}

static sotto_error read_it(const char *phrase, struct secret *seed, size_t *word)
{
    return recovery_phrase_read(sotto_bytes_str(phrase), seed, word);
}

static void the_list_is_the_standards(void **state)
{
    static const uint8_t hash[HASH_SIZE] = {0x2f, 0x5e, 0xed, 0x53, 0xa4, 0x72, 0x7b, 0x4b,
                                            0xf8, 0x88, 0x0d, 0x8f, 0x3f, 0x19, 0x9e, 0xfc,
                                            0x90, 0xe5, 0x85, 0x03, 0x64, 0x6d, 0x9f, 0xf8,
                                            0xef, 0xf3, 0xa2, 0xed, 0x3b, 0x24, 0xdb, 0xda};
    uint8_t found[HASH_SIZE];
    sotto_buf all;
    (void)state;
    sotto_buf_init(&all, sotto_env_system());
    for (size_t i = 0; i < RECOVERY_WORDS; i++) {
        assert_ok(
            sotto_buf_append(&all, (const uint8_t *)recovery_words[i], strlen(recovery_words[i])));
        assert_ok(sotto_buf_append(&all, (const uint8_t *)"\n", 1));
    }
    wire_hash(sotto_buf_view(&all), found);
    assert_memory_equal(found, hash, HASH_SIZE);
    sotto_buf_free(&all);
}

static void a_key_is_said_and_read_as_elsewhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        uint8_t seed[SIGN_SEED_SIZE];
        struct secret read = {0};
        size_t word = 0;
        sotto_buf phrase;
        seed_of(vectors[i].seed, seed);
        sotto_buf_init(&phrase, sotto_env_system());
        assert_ok(recovery_phrase_write(seed, &phrase));
        assert_int_equal(phrase.size, strlen(vectors[i].phrase));
        assert_memory_equal(phrase.data, vectors[i].phrase, phrase.size);
        assert_ok(recovery_phrase_read(sotto_buf_view(&phrase), &read, &word));
        assert_int_equal(read.size, SIGN_SEED_SIZE);
        assert_memory_equal(read.data, seed, SIGN_SEED_SIZE);
        secret_wipe(&read);
        sotto_buf_free(&phrase);
    }
}

static void capitals_blanks_and_beginnings_of_words_do(void **state)
{
    (void)state;
    uint8_t seed[SIGN_SEED_SIZE];
    struct secret read = {0};
    size_t word = 0;
    seed_of(vectors[6].seed, seed);
    assert_ok(read_it("\tALL hour Make  firs\nleader exte hole alie behi guard gosp lava path outp "
                      "cens muse juni mass reop famo sing adva\r\nsalt reform \n",
                      &read, &word));
    assert_memory_equal(read.data, seed, SIGN_SEED_SIZE);
    secret_wipe(&read);
}

/* The phrase of vector 6 with another word in that place (from 1). */
static sotto_error with(size_t place, const char *other, size_t *word)
{
    char phrase[400] = "", copy[400];
    struct secret read = {0};
    size_t at = 0;
    (void)snprintf(copy, sizeof copy, "%s", vectors[6].phrase);
    char *rest = NULL;
    for (char *one = strtok_r(copy, " ", &rest); one != NULL; one = strtok_r(NULL, " ", &rest)) {
        size_t used = strlen(phrase);
        (void)snprintf(phrase + used, sizeof phrase - used, "%s ", ++at == place ? other : one);
    }
    sotto_error error = read_it(phrase, &read, word);
    assert_true((error == SOTTO_OK) == (read.size == SIGN_SEED_SIZE));
    secret_wipe(&read);
    return error;
}

static void what_is_no_phrase_is_refused_and_the_word_is_named(void **state)
{
    (void)state;
    size_t word = 0;
    struct secret read = {0};
    assert_int_equal(with(7, "hol", &word), SOTTO_VALUE); /* three letters are not enough */
    assert_int_equal(word, 7);
    assert_int_equal(with(1, "allx", &word), SOTTO_VALUE);
    assert_int_equal(word, 1);
    assert_int_equal(with(24, "reformatory", &word), SOTTO_VALUE);
    assert_int_equal(word, 24);
    assert_int_equal(with(3, "\xC3\xA9t\xC3\xA9", &word), SOTTO_VALUE);
    assert_int_equal(with(3, "abandon", &word), SOTTO_TAG);
    assert_int_equal(with(3, "", &word), SOTTO_LENGTH);
    assert_int_equal(word, 23);
    assert_int_equal(with(3, "make make", &word), SOTTO_LENGTH);
    assert_int_equal(word, 25);
    assert_int_equal(read_it("", &read, &word), SOTTO_LENGTH);
    char blanks[RECOVERY_PHRASE_MAX + 2];
    memset(blanks, ' ', sizeof blanks - 1);
    blanks[sizeof blanks - 1] = '\0';
    assert_int_equal(read_it(blanks, &read, &word), SOTTO_LENGTH);
}

/* Of all other words in a place the checksum lets one in 256 pass, or so. */
static void the_checksum_finds_a_wrong_word(void **state)
{
    (void)state;
    size_t passed = 0, word = 0;
    for (size_t i = 0; i < RECOVERY_WORDS; i++)
        passed += with(12, recovery_words[i], &word) == SOTTO_OK;
    assert_in_range(passed, 2, 24);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_list_is_the_standards),
        cmocka_unit_test(a_key_is_said_and_read_as_elsewhere),
        cmocka_unit_test(capitals_blanks_and_beginnings_of_words_do),
        cmocka_unit_test(what_is_no_phrase_is_refused_and_the_word_is_named),
        cmocka_unit_test(the_checksum_finds_a_wrong_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
