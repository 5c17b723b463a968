/* Where the program begins: the words of the command line and what is printed are UTF-8, whatever
 * the machine's code page is, and no byte of it is changed. */
#include "windows_parts.h"

#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>

#include "banned.h"

/* The console is shared with whoever started us, and has to be left as it was. */
static struct {
    UINT code_page; /* 0: not changed */
    HANDLE handles[2];
    DWORD modes[2];
} former;

static void restore_console(void)
{
    for (size_t i = 0; i < 2; i++)
        if (former.handles[i] != NULL)
            (void)SetConsoleMode(former.handles[i], former.modes[i]);
    if (former.code_page != 0)
        (void)SetConsoleOutputCP(former.code_page);
}

/* UTF-8, and the sequences that erase a line: console virtual terminal sequences. */
static void prepare_console(void)
{
    static const DWORD numbers[] = { STD_OUTPUT_HANDLE, STD_ERROR_HANDLE };
    bool any = false;

    for (size_t i = 0; i < 2; i++) {
        HANDLE handle = GetStdHandle(numbers[i]);
        DWORD mode;

        if (!GetConsoleMode(handle, &mode))
            continue;
        any = true;
        if ((mode & ENABLE_VIRTUAL_TERMINAL_PROCESSING) == 0 &&
                SetConsoleMode(handle, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING)) {
            former.handles[i] = handle;
            former.modes[i] = mode;
        }
    }
    if (any && GetConsoleOutputCP() != CP_UTF8) {
        former.code_page = GetConsoleOutputCP();
        (void)SetConsoleOutputCP(CP_UTF8);
    }
    (void)atexit(restore_console);
}

/* Each word in a piece of its own, as main() has them. */
static char **to_utf8(int count, WCHAR **words)
{
    char **texts = calloc((size_t)count + 1, sizeof *texts);

    for (int i = 0; texts != NULL && i < count; i++) {
        size_t size = wcslen(words[i]) * 3 + 1;

        texts[i] = malloc(size);
        if (texts[i] != NULL && windows_from_wide(words[i], texts[i], size))
            continue;
        for (int at = 0; at <= i; at++)
            free(texts[at]);
        free(texts);
        texts = NULL;
    }
    return texts;
}

int main(int argc, char **argv);

/* Called by the C library in place of main(), since the program is linked with -municode. */
int wmain(int argc, WCHAR **argv);
int wmain(int argc, WCHAR **argv)
{
    char **words = to_utf8(argc, argv);

    /* Libraries come from the system's own directory, never from where somebody happens to be. */
    (void)SetDefaultDllDirectories(LOAD_LIBRARY_SEARCH_SYSTEM32);
    for (int i = 0; i < 3; i++)
        (void)_setmode(i, _O_BINARY);
    prepare_console();
    if (words == NULL) {
        (void)fputs("svcmgr: no memory for the command line\n", stderr);
        return EXIT_FAILURE;
    }
    return main(argc, words);
}
