# Libraries of Windows that few commands need, and that cost each process some ten milliseconds of the
# system's work, and one without windows a share of the desktop heap, if they are loaded when it
# starts: user32 alone brings gdi32 with it.  Their functions load them with the first call
# ("Linker support for delay-loaded DLLs" in Microsoft's manual; dlltool(1), --output-delaylib).
# All of them are "KnownDLLs", which the system takes from its own folder only.
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
