/* A watch by WebSocket, as browsers ask for it (API concepts, "efficient detection of changes"): one text frame an
 * event. The stream that watch.c writes is turned into frames here; what clients send but pings and the end is passed
 * over. */
#ifndef APISERVER_WATCH_SOCKET_H
#define APISERVER_WATCH_SOCKET_H

#include "apiserver/request.h"

bool watch_socket_wanted(const struct api_request *r);
/* In the place of request_begin_stream: the request goes on over the socket, and what was borrowed from its head is
 * gone. False: it has been answered why not. */
bool watch_socket_begin(struct api_request *r);

#endif
