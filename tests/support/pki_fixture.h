/* Certificates for tests: a folder with authorities and what they signed. */
#ifndef TESTS_SUPPORT_PKI_FIXTURE_H
#define TESTS_SUPPORT_PKI_FIXTURE_H

#include "common/base.h"
#include "common/tls.h"

struct pki_fixture {
    char folder[64];
};

void pki_fixture_init(struct pki_fixture *p);
void pki_fixture_release(struct pki_fixture *p); /* removes the folder */

/* A certificate for `name` (organizations group-a, group-b; address 127.0.0.1) signed by authority `ca`, made when it is
 * new; peers must chain to the authority "ca". */
struct tls *pki_fixture_tls(struct pki_fixture *p, const char *ca, const char *name, bool server);
/* Trusts "ca" and shows no certificate. */
struct tls *pki_fixture_anonymous(struct pki_fixture *p);
/* The path of folder/name + suffix. */
void pki_fixture_path(struct pki_fixture *p, const char *name, const char *suffix, char ret_path[160]);

#endif
