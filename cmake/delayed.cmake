# Libraries of Windows that not every command needs, and that would cost each process some milliseconds of
# the system's work if they were loaded when it starts, user32 also a share of the desktop heap, which
# services have little of.  Their functions load them when they are called first
# ("Linker support for delay-loaded DLLs" in Microsoft's manual; dlltool(1), --output-delaylib), from the
# system's folder only: SetDefaultDllDirectories() in platform/windows_main.c.
find_program(SVCMGR_DLLTOOL NAMES x86_64-w64-mingw32-dlltool dlltool REQUIRED)

# svcmgr_link_delayed(TARGET LIBRARY FUNCTION...): functions that are not named here are not found.
function(svcmgr_link_delayed target library)
    set(folder ${CMAKE_CURRENT_BINARY_DIR}/delayed)
    list(JOIN ARGN "\n" functions)
    file(CONFIGURE OUTPUT ${folder}/${library}.def CONTENT "LIBRARY ${library}.dll\nEXPORTS\n${functions}\n")
    add_custom_command(OUTPUT ${folder}/lib${library}.a
        COMMAND ${SVCMGR_DLLTOOL} --input-def ${folder}/${library}.def --output-delaylib ${folder}/lib${library}.a
        DEPENDS ${folder}/${library}.def VERBATIM)
    add_custom_target(delayed_${library} DEPENDS ${folder}/lib${library}.a)
    add_dependencies(${target} delayed_${library})
    target_link_libraries(${target} PUBLIC ${folder}/lib${library}.a)
endfunction()
