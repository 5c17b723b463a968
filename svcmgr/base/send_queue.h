/* Bytes on their way to somebody who takes them in pieces of his own.  A zeroed one is empty. */
#ifndef SVCMGR_SEND_QUEUE_H
#define SVCMGR_SEND_QUEUE_H

#include <stddef.h>

#include "buffer.h"

struct send_queue {
    struct buffer bytes;
    size_t sent; /* so much of them has gone; taken out now and then */
};

/* How many are left, and where they begin. */
size_t send_queue_left(const struct send_queue *queue);
const char *send_queue_next(const struct send_queue *queue);

/* 0, or -1 without memory; then it is of no use any more. */
int send_queue_add(struct send_queue *queue, const void *data, size_t length);
/* So many have gone. */
void send_queue_advance(struct send_queue *queue, size_t count);

void send_queue_free(struct send_queue *queue);

#endif
