/* What net.c and a system's file have of each other.  The system's sockets.h includes it. */
#ifndef WEBUI_NET_PARTS_H
#define WEBUI_NET_PARTS_H

/* net.c */
bool net_is_listening_stream(net_handle s);

/* The system's.  The next one makes a listener what net.h promises; -1 with a sentence in text. */
int net_make_ready(net_handle s, char *text, size_t size);
/* Writes what a socket of another family than the IP ones is called, if it has a name here. */
void net_describe_other(const struct sockaddr_storage *address, char *ret_url, size_t size);

#endif
