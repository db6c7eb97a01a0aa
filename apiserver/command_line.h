/* The apiserver's command line. */
#ifndef APISERVER_COMMAND_LINE_H
#define APISERVER_COMMAND_LINE_H

#include "common/base.h"
#include "common/err.h"
#include "common/log.h"
#include "raftstore/client.h"

/* Texts are borrowed from argv; NULL where a flag was not given. */
struct command_line {
    const char *listen, *advertise, *store, *store_ca, *store_cert, *store_key, *tls_cert, *tls_key, *client_ca,
        *kubelet_ca, *kubelet_cert, *kubelet_key, *service_account_key_file, *service_account_issuer, *log_level;
    unsigned service_repair_interval; /* ms */
    enum log_level level;
    const char *endpoints[STORE_ENDPOINTS_MAX]; /* of `store`, into `endpoint_text` */
    size_t endpoint_count;
    char endpoint_text[1024];
};

/* ERR_BAD_REQUEST names the flag. *ret_help: print command_line_help and exit 0. */
int command_line_parse(int argc, char **argv, struct command_line *ret, bool *ret_help, struct err *reterr);
void command_line_help(void);

#endif
