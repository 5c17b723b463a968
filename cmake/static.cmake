# Chooses musl's compiler wrapper before project(), when a static executable is wanted and possible.
if(SVCMGR_STATIC STREQUAL "OFF" OR DEFINED CMAKE_C_COMPILER OR CMAKE_TOOLCHAIN_FILE)
    return()
endif()
find_program(SVCMGR_MUSL_GCC musl-gcc)
if(SVCMGR_MUSL_GCC AND EXISTS "${SVCMGR_CJSON_SOURCE}/cJSON.c")
    set(CMAKE_C_COMPILER "${SVCMGR_MUSL_GCC}")
    set(SVCMGR_MUSL ON)
elseif(SVCMGR_STATIC STREQUAL "ON")
    message(FATAL_ERROR "SVCMGR_STATIC=ON needs musl-gcc (package musl-tools) and cJSON's source in "
        "SVCMGR_CJSON_SOURCE (${SVCMGR_CJSON_SOURCE})")
endif()
