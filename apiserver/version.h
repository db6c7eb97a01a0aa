/* What the server says it is: clients choose their behaviour by it (kubectl: JSON or protobuf bodies). */
#ifndef APISERVER_VERSION_H
#define APISERVER_VERSION_H

#define SERVER_MAJOR "1"
#define SERVER_MINOR "32"
#define SERVER_VERSION "v1.32.5-keelson"

#endif
