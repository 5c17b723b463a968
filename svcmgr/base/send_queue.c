#include "send_queue.h"

#include "banned.h"

size_t send_queue_left(const struct send_queue *queue)
{
    return queue->bytes.length - queue->sent;
}

const char *send_queue_next(const struct send_queue *queue)
{
    return buffer_text(&queue->bytes) + queue->sent;
}

int send_queue_add(struct send_queue *queue, const void *data, size_t length)
{
    buffer_append(&queue->bytes, data, length);
    return queue->bytes.failed ? -1 : 0;
}

void send_queue_advance(struct send_queue *queue, size_t count)
{
    queue->sent += count;
    /* Moving what is left costs as much as it is long: it has to be worth it. */
    if (queue->sent < queue->bytes.length / 2)
        return;
    buffer_consume(&queue->bytes, queue->sent);
    queue->sent = 0;
    if (queue->bytes.length == 0)
        buffer_free(&queue->bytes);
}

void send_queue_free(struct send_queue *queue)
{
    buffer_free(&queue->bytes);
    queue->sent = 0;
}
