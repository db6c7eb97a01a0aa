#include "tests/test.h"

#include "common/pki.h"
#include "tests/support/pki_fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

void pki_fixture_init(struct pki_fixture *p)
{
    snprintf(p->folder, sizeof p->folder, "/tmp/keelson-test-XXXXXX");
    assert_non_null(mkdtemp(p->folder));
}

void pki_fixture_release(struct pki_fixture *p)
{
    DIR *folder = opendir(p->folder);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char path[160 + sizeof entry->d_name];
        snprintf(path, sizeof path, "%s/%s", p->folder, entry->d_name);
        if (entry->d_name[0] != '.')
            assert_int_equal(unlink(path), 0);
    }
    closedir(folder);
    assert_int_equal(rmdir(p->folder), 0);
}

void pki_fixture_path(struct pki_fixture *p, const char *name, const char *suffix, char ret_path[160])
{
    snprintf(ret_path, 160, "%s/%s%s", p->folder, name, suffix);
}

struct tls *pki_fixture_tls(struct pki_fixture *p, const char *ca, const char *name, bool server)
{
    char ca_crt[160], ca_key[160], crt[160], key[160], trusted[160];
    pki_fixture_path(p, ca, ".crt", ca_crt);
    pki_fixture_path(p, ca, ".key", ca_key);
    pki_fixture_path(p, name, ".crt", crt);
    pki_fixture_path(p, name, ".key", key);
    pki_fixture_path(p, "ca", ".crt", trusted);
    const char *const organizations[] = {"group-a", "group-b", NULL}, *const addresses[] = {"127.0.0.1", NULL};
    struct pki_request r = {
        .ca_certificate_file = ca_crt, .ca_key_file = ca_key, .common_name = name, .organizations = organizations,
        .addresses = addresses, .server = server, .client = true, .now_s = time(NULL), .days = 1,
        .certificate_file = crt, .key_file = key,
    };
    struct err err;
    if (access(ca_crt, R_OK) != 0)
        assert_ok(pki_make_ca(ca, r.now_s, 1, ca_crt, ca_key, &err));
    assert_ok(pki_issue(&r, &err));
    struct tls_options o = {.certificate_file = crt, .key_file = key, .ca_file = trusted};
    struct tls *t = NULL;
    assert_ok(tls_new(&o, &t, &err));
    return t;
}

struct tls *pki_fixture_anonymous(struct pki_fixture *p)
{
    char trusted[160];
    pki_fixture_path(p, "ca", ".crt", trusted);
    struct tls *t = NULL;
    assert_ok(tls_new(&(struct tls_options){.ca_file = trusted}, &t, NULL));
    return t;
}
