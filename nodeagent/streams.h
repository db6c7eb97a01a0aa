/* exec and attach over WebSocket, as kubectl speaks it: subprotocols v5.channel.k8s.io and v4.channel.k8s.io. Each message
 * is one byte of channel and its bytes; the error channel ends with a Status object. */
#ifndef NODEAGENT_STREAMS_H
#define NODEAGENT_STREAMS_H

#include "nodeagent/agent.h"

#define STREAM_COMMANDS_MAX 1024 /* words of one command */

/* GET or POST /exec/{namespace}/{pod}/{container}?command=…, /attach/…; `rest` begins behind "/exec/". Answers x. */
void streams_serve(struct nodeagent *a, struct http_exchange *x, struct slice rest, bool attach);
/* Ends every session; `closed` runs, not inside the call, when the last one has ended; never when there is none. */
void streams_close(struct nodeagent *a, void (*closed)(struct nodeagent *a));

#endif
