# cmocka for the unit tests: the installed one; for another system its one source file, given by
# SVCMGR_CMOCKA_SOURCE.  Nothing of it gets into svcmgr.
if(NOT CMAKE_CROSSCOMPILING)
    find_package(cmocka QUIET)
elseif(WIN32 AND EXISTS "${SVCMGR_CMOCKA_SOURCE}/src/cmocka.c")
    add_library(svcmgr_cmocka STATIC ${SVCMGR_CMOCKA_SOURCE}/src/cmocka.c)
    target_include_directories(svcmgr_cmocka SYSTEM PUBLIC ${SVCMGR_CMOCKA_SOURCE}/include)
    # Its configure step would find these in mingw-w64.  Without HAVE_SIGNAL_H a crash is Windows'
    # own to report, with its code as the exit status.
    target_compile_definitions(svcmgr_cmocka PRIVATE HAVE_INTTYPES_H HAVE_STRINGS_H HAVE_MALLOC_H
        HAVE_GCC_THREAD_LOCAL_STORAGE __USE_MINGW_ANSI_STDIO=1 inline=__inline__)
    set_target_properties(svcmgr_cmocka PROPERTIES
        C_EXTENSIONS ON ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
    set(CMOCKA_LIBRARIES svcmgr_cmocka)
    set(CMOCKA_INCLUDE_DIR ${SVCMGR_CMOCKA_SOURCE}/include)
    set(cmocka_FOUND TRUE)
endif()
