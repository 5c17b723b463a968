/* What lists of rights mean, of lists that no file here has: only the rules are asked. */
#include "started.h"

#include <sddl.h>
#include <string.h>

#include "banned.h"

#define SERVICE  "S-1-5-80-1-2-3-4-5"
#define SOMEBODY "S-1-5-21-1-2-3-1001"
#define OWNER    "S-1-5-21-1-2-3-1002"

static PSECURITY_DESCRIPTOR descriptor_of(const char *text)
{
    PSECURITY_DESCRIPTOR descriptor = NULL;

    if (!ConvertStringSecurityDescriptorToSecurityDescriptorA(
                text, SDDL_REVISION_1, &descriptor, NULL))
        fail_msg("%s: %lu", text, GetLastError());
    return descriptor;
}

static PACL list_of(PSECURITY_DESCRIPTOR descriptor)
{
    BOOL present = FALSE;
    BOOL defaulted;
    PACL list = NULL;

    assert_true(GetSecurityDescriptorDacl(descriptor, &present, &list, &defaulted));
    assert_true(present);
    return list;
}

static PSID sid_of(const char *text)
{
    PSID sid = NULL;

    assert_true(ConvertStringSidToSidA(text, &sid));
    return sid;
}

static bool lets_others(const char *text)
{
    PSECURITY_DESCRIPTOR descriptor = descriptor_of(text);
    PSID owner = sid_of(OWNER);
    bool answer = windows_lets_others_change(list_of(descriptor), owner);

    (void)LocalFree(owner);
    (void)LocalFree(descriptor);
    return answer;
}

/* ---- Who can change it ----------------------------------------------------------------------- */

static void only_who_could_help_himself_anyway_may_change_it(void **state)
{
    static const struct {
        const char *list;
        bool others;
    } rows[] = {
        { "D:", false },
        { "D:(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;" OWNER ")", false },
        { "D:(A;;FA;;;" SOMEBODY ")", true },
        { "D:(A;;FA;;;SY)(A;;FA;;;" SOMEBODY ")", true },
        { "D:(A;;FA;;;WD)", true },
        { "D:(A;;FA;;;BU)", true },
        { "D:(A;;FA;;;AU)", true },
        { "D:(A;;FA;;;AN)", true },
        /* Looking and listing. */
        { "D:(A;;0x1200a9;;;WD)", false },
        { "D:(A;;FR;;;WD)(A;;FX;;;BU)", false },
        { "D:(A;;GR;;;WD)", false },
        /* Forbidding gives nothing. */
        { "D:(D;;FA;;;WD)", false },
        { "D:(D;;FA;;;WD)(A;;FA;;;WD)", true },
        /* What is made in there later is asked about then. */
        { "D:(A;OICIIO;FA;;;WD)", false },
        { "D:(A;OICI;FA;;;WD)", true },
        { "D:(A;ID;FA;;;WD)", true },
        /* The owner, by other names. */
        { "D:(A;;FA;;;CO)", false },
        { "D:(A;;FA;;;S-1-3-4)", false },
        { "D:(A;;FA;;;CG)", true },
        /* One service is granted it by svcmgr; all of them are not. */
        { "D:(A;;0x1301bf;;;" SERVICE ")", false },
        { "D:(A;;0x1301bf;;;S-1-5-80-0)", true },
        { "D:(A;;0x1301bf;;;S-1-5-80-1-2-3-4-5-6)", true },
        { "D:(A;;0x1301bf;;;S-1-5-81-1-2-3-4-5)", true },
        { "D:(A;;0x1301bf;;;S-1-6-80-1-2-3-4-5)", true },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK_INT(rows[i].list, lets_others(rows[i].list), rows[i].others);
}

static void each_right_to_change_it_counts(void **state)
{
    static const DWORD changing[] = { FILE_WRITE_DATA, FILE_APPEND_DATA, FILE_WRITE_EA,
        FILE_DELETE_CHILD, FILE_WRITE_ATTRIBUTES, DELETE, WRITE_DAC, WRITE_OWNER, GENERIC_WRITE,
        GENERIC_ALL };
    DWORD all = 0;

    for (size_t i = 0; i < COUNT_OF(changing); i++)
        all |= changing[i];
    for (DWORD right = 1; right != 0; right <<= 1) {
        char list[64];

        if ((right &
                    (STANDARD_RIGHTS_ALL | FILE_ALL_ACCESS | GENERIC_ALL | GENERIC_WRITE |
                            GENERIC_READ | GENERIC_EXECUTE)) == 0)
            continue;
        (void)snprintf(list, sizeof list, "D:(A;;0x%lx;;;WD)", right);
        CHECK_INT(list, lets_others(list), (right & all) != 0);
    }
}

static void a_list_that_is_not_there_or_not_understood_lets_everybody(void **state)
{
    PSECURITY_DESCRIPTOR descriptor = descriptor_of("D:(A;;FA;;;SY)");
    PACL list = list_of(descriptor);
    PSID owner = sid_of(OWNER);
    ACCESS_ALLOWED_ACE *entry;

    assert_true(windows_lets_others_change(NULL, owner));
    assert_false(windows_lets_others_change(list, owner));
    assert_true(GetAce(list, 0, (LPVOID *)&entry));
    entry->Header.AceType = ACCESS_ALLOWED_CALLBACK_ACE_TYPE;
    assert_true(windows_lets_others_change(list, owner));
    entry->Mask = FILE_GENERIC_READ;
    assert_false(windows_lets_others_change(list, owner));
    (void)LocalFree(owner);
    (void)LocalFree(descriptor);
}

static void an_owner_is_ours_who_is_us_or_an_administrator(void **state)
{
    static const struct {
        const char *sid;
        bool ours;
    } rows[] = {
        { "S-1-5-18", true },
        { "S-1-5-32-544", true },
        { "S-1-5-32-545", false },
        { "S-1-5-19", false },
        { SOMEBODY, false },
        { SERVICE, false },
    };

    assert_true(windows_is_our_owner(windows_own_sid()));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        PSID sid = sid_of(rows[i].sid);

        CHECK_INT(rows[i].sid, windows_is_our_owner(sid), rows[i].ours);
        (void)LocalFree(sid);
    }
}

/* ---- What services are let into -------------------------------------------------------------- */

static void what_is_made_in_a_folder_is_for_its_services_too(void **state)
{
    static const struct {
        const char *list;
        const char *entries;
    } rows[] = {
        { "D:", "" },
        { "D:(A;OICI;FA;;;SY)(A;OICI;FA;;;WD)(A;OICI;FA;;;" SOMEBODY ")", "" },
        { "D:(A;OICI;0x1301bf;;;" SERVICE ")", "(A;XX;0x1301bf;;;" SERVICE ")" },
        { "D:(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;" SERVICE ")(A;OICI;FA;;;S-1-5-80-9-9-9-9-9)",
                "(A;XX;0x1200a9;;;" SERVICE ")(A;XX;0x1f01ff;;;S-1-5-80-9-9-9-9-9)" },
        { "D:(A;;0x1301bf;;;" SERVICE ")", "" },
        { "D:(A;CI;0x1301bf;;;" SERVICE ")", "" },
        { "D:(D;OICI;FA;;;" SERVICE ")", "" },
        { "D:(A;OICI;FA;;;S-1-5-80-0)", "" },
    };
    char text[WINDOWS_SDDL_CHARS];

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        PSECURITY_DESCRIPTOR descriptor = descriptor_of(rows[i].list);

        windows_service_entries(list_of(descriptor), "XX", text, sizeof text);
        CHECK_TEXT(rows[i].list, text, rows[i].entries);
        (void)LocalFree(descriptor);
    }
    windows_service_entries(NULL, "", text, sizeof text);
    assert_string_equal(text, "");
}

/* Half an entry would make the whole list invalid. */
static void an_entry_that_does_not_fit_is_left_out(void **state)
{
    PSECURITY_DESCRIPTOR descriptor = descriptor_of(
            "D:(A;OICI;0x1301bf;;;" SERVICE ")(A;OICI;0x1301bf;;;S-1-5-80-9-9-9-9-9)");
    const char *one = "(A;;0x1301bf;;;" SERVICE ")";
    char text[60];

    windows_service_entries(list_of(descriptor), "", text, sizeof text);
    assert_string_equal(text, one);
    windows_service_entries(list_of(descriptor), "", text, strlen(one));
    assert_string_equal(text, "");
    (void)LocalFree(descriptor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_who_could_help_himself_anyway_may_change_it),
        cmocka_unit_test(each_right_to_change_it_counts),
        cmocka_unit_test(a_list_that_is_not_there_or_not_understood_lets_everybody),
        cmocka_unit_test(an_owner_is_ours_who_is_us_or_an_administrator),
        cmocka_unit_test(what_is_made_in_a_folder_is_for_its_services_too),
        cmocka_unit_test(an_entry_that_does_not_fit_is_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
