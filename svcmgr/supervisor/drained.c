#include "drained.h"

#include "banned.h"

bool drained_read(struct platform_source *source, struct drain *drain, int64_t now_ms,
        drained_take *take, void *context)
{
    for (;;) {
        const char *data;
        size_t length;

        switch (drain_check(&drain_defaults, drain, now_ms)) {
        case DRAIN_WAIT:
            return true;
        case DRAIN_DONE:
            return false;
        case DRAIN_LOOK:
            break;
        }
        length = platform_read_now(source, &data);
        if (length == 0)
            return false;
        drain_piece(&drain_defaults, drain, now_ms);
        if (!take(context, data, length))
            return true;
    }
}
