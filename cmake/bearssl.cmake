# BearSSL's HMAC with SHA-256 and nothing else of it, always from source: given by
# SVCMGR_BEARSSL_SOURCE, or fetched at a commit of its repository.
include(FetchContent)
if(EXISTS "${SVCMGR_BEARSSL_SOURCE}/inc/bearssl.h")
    set(FETCHCONTENT_SOURCE_DIR_BEARSSL "${SVCMGR_BEARSSL_SOURCE}")
endif()
FetchContent_Declare(bearssl
    GIT_REPOSITORY https://www.bearssl.org/git/BearSSL
    GIT_TAG 3c040368f6791553610e362401db1efff4b4c5b8
    SOURCE_SUBDIR only-the-source)
FetchContent_MakeAvailable(bearssl)
add_library(svcmgr_bearssl STATIC
    ${bearssl_SOURCE_DIR}/src/mac/hmac.c ${bearssl_SOURCE_DIR}/src/hash/sha2small.c
    ${bearssl_SOURCE_DIR}/src/codec/dec32be.c ${bearssl_SOURCE_DIR}/src/codec/enc32be.c)
target_include_directories(svcmgr_bearssl SYSTEM PUBLIC ${bearssl_SOURCE_DIR}/inc)
target_include_directories(svcmgr_bearssl PRIVATE ${bearssl_SOURCE_DIR}/src)
set_target_properties(svcmgr_bearssl PROPERTIES ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
