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
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
        # Thousands of processes of it are started by the tests, each of which would link them anew.
        target_link_options(svcmgr_options INTERFACE -static-libasan -static-libubsan)
    endif()
endif()
if(SVCMGR_FUZZ)
    if(NOT CMAKE_C_COMPILER_ID STREQUAL "Clang" OR NOT SVCMGR_SANITIZE)
        message(FATAL_ERROR "SVCMGR_FUZZ needs clang (this is ${CMAKE_C_COMPILER_ID}) and SVCMGR_SANITIZE")
    endif()
    target_compile_options(svcmgr_options INTERFACE -fsanitize=fuzzer-no-link -O1)
endif()
if(SVCMGR_COVERAGE)
    target_compile_options(svcmgr_options INTERFACE --coverage)
    target_link_options(svcmgr_options INTERFACE --coverage)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release")
    # Two processes a service stay in memory: size counts more than a faster instruction.
    set(CMAKE_C_FLAGS_RELEASE "-Os -DNDEBUG")
    target_compile_options(svcmgr_options INTERFACE -ffunction-sections)
    # Windows wants to know of every function how to leave it, for longjmp() too: "x64 exception
    # handling" in its manual.  And there the linker would put what is zero into the file as well,
    # if each had a section of its own.
    if(NOT WIN32)
        target_compile_options(svcmgr_options INTERFACE -fdata-sections
            -fno-asynchronous-unwind-tables -fno-unwind-tables)
    endif()
    if(APPLE)
        target_link_options(svcmgr_options INTERFACE -Wl,-dead_strip)
    elseif(WIN32)
        target_link_options(svcmgr_options INTERFACE -Wl,--gc-sections -s)
    else()
        target_link_options(svcmgr_options INTERFACE -Wl,--gc-sections -Wl,-z,noseparate-code)
    endif()
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

if(WIN32)
    # The C library of Windows knows neither %zu nor %lld; mingw-w64 brings its own printf.
    target_compile_definitions(svcmgr_options INTERFACE __USE_MINGW_ANSI_STDIO=1)
    target_link_options(svcmgr_options INTERFACE -static)
endif()

# A layer sees the headers of itself and of the layers that it names, and no others.  SELDOM are the
# sources whose code a service that just runs does not need.
function(svcmgr_layer name)
    cmake_parse_arguments(LAYER "" "" "SOURCES;SELDOM;USES" ${ARGN})
    add_library(svcmgr_${name} STATIC ${LAYER_SOURCES} ${LAYER_SELDOM})
    foreach(source IN LISTS LAYER_SELDOM)
        get_filename_component(file ${source} NAME)
        set_property(GLOBAL APPEND_STRING PROPERTY SVCMGR_SELDOM
            "        *libsvcmgr_${name}.a:${file}.o(.text .text.* .rodata .rodata.*)\n")
    endforeach()
    target_link_libraries(svcmgr_${name} PUBLIC svcmgr_options ${LAYER_USES})
    target_include_directories(svcmgr_${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/${name})
    set_target_properties(svcmgr_${name} PROPERTIES ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
endfunction()

# Moves what the layers call seldom out of the way (seldom.ld.in).
function(svcmgr_place_seldom target)
    get_property(seldom GLOBAL PROPERTY SVCMGR_SELDOM)
    configure_file(${PROJECT_SOURCE_DIR}/cmake/seldom.ld.in ${CMAKE_BINARY_DIR}/seldom.ld @ONLY)
    target_link_options(${target} PRIVATE -Wl,-T,${CMAKE_BINARY_DIR}/seldom.ld)
    set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${CMAKE_BINARY_DIR}/seldom.ld)
endfunction()
