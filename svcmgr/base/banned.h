/* Functions that this project does not use.  Include it last, after every system header. */
#ifndef SVCMGR_BANNED_H
#define SVCMGR_BANNED_H

#if defined(__GNUC__) || defined(__clang__)
/* Macros in some C libraries. */
#undef alloca
#undef strcpy
#undef strcat
#undef strncpy
#undef sprintf
#undef vsprintf
#undef popen
#pragma GCC poison strcpy strcat strncpy sprintf vsprintf strtok gets atoi atol atoll
#pragma GCC poison strtol strtoul strtoll strtoull strtod sscanf system popen gmtime localtime
#pragma GCC poison sleep usleep Sleep signal vfork alloca
#pragma GCC poison cJSON_Parse cJSON_GetObjectItem
#endif

#endif
