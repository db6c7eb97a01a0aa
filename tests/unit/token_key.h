/* A key for tokens of service accounts, made for one test. */
#ifndef TESTS_UNIT_TOKEN_KEY_H
#define TESTS_UNIT_TOKEN_KEY_H

#include "tests/test.h"

#include "common/jwt.h"
#include "common/pki.h"

#include <stdio.h>
#include <unistd.h>

static struct jwt_key *token_key_make(void)
{
    char file[64];
    struct jwt_key *key = NULL;
    struct err why;
    (void)snprintf(file, sizeof file, "/tmp/jwt-test-%d.key", (int)getpid());
    assert_ok(pki_make_key(file, &why));
    assert_ok(jwt_key_load(file, &key, &why));
    assert_int_equal(unlink(file), 0);
    return key;
}

#endif
