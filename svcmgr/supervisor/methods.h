/* What a client must know of the methods beyond docs/PROTOCOL.md. */
#ifndef SVCMGR_METHODS_H
#define SVCMGR_METHODS_H

/* The error code of a background start that found the lock held: ask the holder. */
#define METHODS_LOCK_IS_HELD (-32002)

#endif
