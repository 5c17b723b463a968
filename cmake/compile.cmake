set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_library(svcmgr_options INTERFACE)
target_compile_options(svcmgr_options INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wswitch-enum -Wstrict-prototypes
    -Wmissing-prototypes -Wformat=2 -Wwrite-strings -Wundef -Wvla -fno-common)
if(SVCMGR_WERROR)
    target_compile_options(svcmgr_options INTERFACE -Werror)
endif()
if(SVCMGR_SANITIZE)
    target_compile_options(svcmgr_options INTERFACE
        -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(svcmgr_options INTERFACE -fsanitize=address,undefined)
endif()
if(SVCMGR_COVERAGE)
    target_compile_options(svcmgr_options INTERFACE --coverage)
    target_link_options(svcmgr_options INTERFACE --coverage)
endif()
if(SVCMGR_PORTABLE)
    target_compile_definitions(svcmgr_options INTERFACE SVCMGR_PORTABLE)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release")
    # Two processes a service stay in memory: size counts more than a faster instruction.
    set(CMAKE_C_FLAGS_RELEASE "-Os -DNDEBUG")
    target_compile_options(svcmgr_options INTERFACE -ffunction-sections -fdata-sections
        -fno-asynchronous-unwind-tables -fno-unwind-tables)
    target_link_options(svcmgr_options INTERFACE -Wl,--gc-sections -Wl,-z,noseparate-code)
endif()
if(SVCMGR_MUSL)
    execute_process(COMMAND ${CMAKE_C_COMPILER} -print-multiarch OUTPUT_VARIABLE SVCMGR_MULTIARCH
        OUTPUT_STRIP_TRAILING_WHITESPACE)
    # The kernel's headers are not musl's: taken from the system, behind musl's own.
    target_compile_options(svcmgr_options INTERFACE
        "SHELL:-idirafter /usr/include" "SHELL:-idirafter /usr/include/${SVCMGR_MULTIARCH}")
    target_compile_options(svcmgr_options INTERFACE -fno-pie)
    target_link_options(svcmgr_options INTERFACE -static -no-pie)
endif()

# A layer sees the headers of itself and of the layers that it names, and no others.
function(svcmgr_layer name)
    cmake_parse_arguments(LAYER "" "" "SOURCES;USES" ${ARGN})
    add_library(svcmgr_${name} STATIC ${LAYER_SOURCES})
    target_link_libraries(svcmgr_${name} PUBLIC svcmgr_options ${LAYER_USES})
    target_include_directories(svcmgr_${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/${name})
    set_target_properties(svcmgr_${name} PROPERTIES ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
endfunction()
