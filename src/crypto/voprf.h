/* RFC 9497: oblivious pseudorandom functions over ristretto255 with SHA-512.
 *
 *     client                                        server (key)
 *     blind, blinded = Blind(input)
 *                         ---- blinded ---->
 *                                                   evaluated, proof = BlindEvaluate(blinded)
 *                         <--- evaluated, proof ----
 *     output = Finalize(input, blind, evaluated, proof)
 *                                                   output = Evaluate(input)
 *
 * The server learns nothing of the input from the blinded element, for any adversary of any power:
 * so who asks and what is shown later cannot be joined. The proof (one for a whole batch) shows
 * that every element was evaluated under the key that the client knows.
 *
 * Of libsodium alone; any thread. Elements are 32 bytes as on the wire; a batch is its elements one
 * behind the other. Outputs are zeroed on failure. What decides nothing but refusal (elements and
 * proofs of the other side) is public; keys, blinds, inputs and outputs never decide a branch or
 * an address, which tests/ct shows.
 *
 * The relay uses this file and nothing else of src/crypto (tools/check_layers.py). */
#ifndef CRYPTO_VOPRF_H
#define CRYPTO_VOPRF_H

#include "base/base.h"

enum {
    VOPRF_ELEMENT = 32,
    VOPRF_SCALAR = 32,
    VOPRF_PROOF = 64,
    VOPRF_OUTPUT = 64,
    VOPRF_SEED = 32,
    VOPRF_INPUT_MAX = 65535, /* bytes of an input, of an info; elements of a batch */
};

/* Section 3.1. A key serves one mode only: the mode is part of every hash. */
enum voprf_mode {
    VOPRF_MODE_OPRF = 0,  /* no proof */
    VOPRF_MODE_VOPRF = 1, /* with a proof */
    VOPRF_MODE_POPRF = 2, /* with a proof, and a public info that both sides put in */
};

struct voprf_key {
    struct secret private_key; /* 32 bytes */
    uint8_t public_key[VOPRF_ELEMENT];
};

/* Wipes the private half. */
void voprf_key_wipe(struct voprf_key *key);

/* GenerateKeyPair (3.2). NO_RANDOM. */
sotto_error voprf_key_generate(const sotto_env *env, struct voprf_key *key);

/* DeriveKeyPair (3.2.1): seed of VOPRF_SEED bytes, info of up to VOPRF_INPUT_MAX. */
sotto_error voprf_key_derive(enum voprf_mode mode, sotto_bytes seed, sotto_bytes info,
                             struct voprf_key *key);

/* The key of a stored private half. KEY: not a scalar in its one encoding, or zero. */
sotto_error voprf_key_load(sotto_bytes private_key, struct voprf_key *key);

/* KEY unless it is an element other than the identity, in its one encoding (section 4.1). */
sotto_error voprf_check_element(sotto_bytes element);

/* Blind (3.3). blind: secret, kept by the client until it finalizes, used once. NO_RANDOM;
 * ARGUMENT: input too large, or one that hashes to the identity (which nobody can find). */
sotto_error voprf_blind(enum voprf_mode mode, const sotto_env *env, sotto_bytes input,
                        struct secret *blind, uint8_t blinded[static VOPRF_ELEMENT]);

/* BlindEvaluate (3.3). blinded: the batch; evaluated: as many bytes; proof: VOPRF_PROOF bytes, not
 * written in mode OPRF. info: empty but in mode POPRF. LENGTH: not whole elements, none, or too
 * many; KEY: one of them is not valid; STATE: this info undoes this key (which nobody can find);
 * NO_RANDOM. Constant time in the key. */
sotto_error voprf_blind_evaluate(enum voprf_mode mode, const sotto_env *env,
                                 const struct voprf_key *key, sotto_bytes info, sotto_bytes blinded,
                                 uint8_t *evaluated, uint8_t *proof);

/* What a client remembers of each element of a batch, in its order. */
struct voprf_blinded {
    sotto_bytes input, blind;
};

/* Finalize (3.3): verifies the proof over the whole batch, then unblinds. outputs: count *
 * VOPRF_OUTPUT bytes. LENGTH: sizes do not fit count; KEY: an element or the public key is not
 * valid; SIGNATURE: the proof does not hold: the other side used another key. */
sotto_error voprf_finalize(enum voprf_mode mode, sotto_bytes public_key, sotto_bytes info,
                           const struct voprf_blinded *sent, size_t count, sotto_bytes blinded,
                           sotto_bytes evaluated, sotto_bytes proof, uint8_t *outputs);

/* Evaluate (3.3): the output that a client gets for this input. Compare with sodium_memcmp. */
sotto_error voprf_evaluate(enum voprf_mode mode, const struct voprf_key *key, sotto_bytes info,
                           sotto_bytes input, uint8_t output[static VOPRF_OUTPUT]);

#endif
