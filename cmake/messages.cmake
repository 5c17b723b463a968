# The texts of entries in the Event Log: a table in the program itself, so that they can be read where
# there is nothing else of it.
enable_language(RC)
find_program(SVCMGR_MESSAGE_COMPILER NAMES x86_64-w64-mingw32-windmc windmc mc)

function(svcmgr_add_messages target file)
    get_filename_component(name ${file} NAME_WE)
    set(folder ${CMAKE_CURRENT_BINARY_DIR}/messages)
    file(MAKE_DIRECTORY ${folder})
    add_custom_command(OUTPUT ${folder}/${name}.rc
        COMMAND ${SVCMGR_MESSAGE_COMPILER} -h ${folder} -r ${folder} ${file}
        DEPENDS ${file} VERBATIM)
    target_sources(${target} PRIVATE ${folder}/${name}.rc)
    set_source_files_properties(${folder}/${name}.rc PROPERTIES
        INCLUDE_DIRECTORIES ${folder})
endfunction()
