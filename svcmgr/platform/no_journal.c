/* Where the system keeps no log that svcmgr writes to; configurations that ask for one are refused
 * (abilities.h). */
#include "platform_log.h"

#include "banned.h"

int platform_log_entry(const struct platform_entry *entry, struct err *err)
{
    (void)entry;
    return err_set(err, ERR_CONFIG, 0, "there is no log of the system's here");
}
