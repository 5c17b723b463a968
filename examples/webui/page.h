#ifndef WEBUI_PAGE_H
#define WEBUI_PAGE_H

/* The page that '/' serves, in two pieces that follow one another: C promises no string literal
 * longer than 4095 bytes.  It loads nothing else, and asks /api/status once a second. */
extern const char page_style[];
extern const char page_content[];

#endif
