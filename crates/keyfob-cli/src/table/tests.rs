//! How tables look at several widths.

use insta::assert_snapshot;

use super::*;

const COLUMNS: [Column; 6] = [
    Column::whole("ID"),
    Column::whole("KIND"),
    Column::whole("STATE"),
    Column::cut("SUBJECT"),
    Column::cut("CLIENT"),
    Column::whole("EXPIRES"),
];

fn rows(texts: &[[&str; 6]]) -> Vec<Vec<String>> {
    texts.iter().map(|row| row.map(str::to_owned).to_vec()).collect()
}

fn tokens() -> Vec<Vec<String>> {
    rows(&[
        [
            "tok_00d1h88n000000000000000001",
            "api-key",
            "exhausted",
            "0f8fad5b-d9cb-469f-a165-70867728950e",
            "billing-service",
            "999d ago",
        ],
        ["tok_00d1h88n000000000000000002", "access", "active", "日本語の利用者", "-", "in 60m"],
        ["tok_00d1h88n000000000000000003", "session", "revoked", "ann", "web", "never"],
    ])
}

fn findings() -> Vec<Vec<String>> {
    let advice = "the disk is nearly full: free some room, or move the file to a larger disk";
    vec![
        vec!["warning".to_owned(), "disk".to_owned(), advice.to_owned()],
        vec!["good".to_owned(), "clock".to_owned(), "it agrees with the store".to_owned()],
    ]
}

const FINDINGS: [Column; 3] =
    [Column::whole("SEVERITY"), Column::wrap("WHAT"), Column::wrap("ADVICE")];

#[track_caller]
fn check_widths(table: &str, width: usize) {
    for line in table.lines() {
        let found = unicode_width::UnicodeWidthStr::width(line);
        assert!(found <= width, "{found}: {line}");
        assert_eq!(line.trim_end(), line);
    }
}

#[test]
fn a_list_at_80_columns_cuts_names() {
    let table = render(&COLUMNS, &tokens(), Some(80), false);
    check_widths(&table, 80);
    assert_snapshot!(table, @r"
    ID                              KIND     STATE      SUBJECT   CLIENT    EXPIRES
    tok_00d1h88n000000000000000001  api-key  exhausted  0f8fad5…  billing…  999d ago
    tok_00d1h88n000000000000000002  access   active     日本語…   -         in 60m
    tok_00d1h88n000000000000000003  session  revoked    ann       web       never
    ");
}

#[test]
fn a_list_at_50_columns_has_one_field_on_a_line() {
    let table = render(&COLUMNS, &tokens(), Some(50), false);
    check_widths(&table, 50);
    assert_snapshot!(table, @r"
    id:      tok_00d1h88n000000000000000001
    kind:    api-key
    state:   exhausted
    subject: 0f8fad5b-d9cb-469f-a165-70867728950e
    client:  billing-service
    expires: 999d ago

    id:      tok_00d1h88n000000000000000002
    kind:    access
    state:   active
    subject: 日本語の利用者
    client:  -
    expires: in 60m

    id:      tok_00d1h88n000000000000000003
    kind:    session
    state:   revoked
    subject: ann
    client:  web
    expires: never
    ");
}

#[test]
fn a_wide_list_is_whole() {
    let wide = render(&COLUMNS, &tokens(), None, false);
    assert_eq!(render(&COLUMNS, &tokens(), Some(300), false), wide);
    assert_snapshot!(wide, @r"
    ID                              KIND     STATE      SUBJECT                               CLIENT           EXPIRES
    tok_00d1h88n000000000000000001  api-key  exhausted  0f8fad5b-d9cb-469f-a165-70867728950e  billing-service  999d ago
    tok_00d1h88n000000000000000002  access   active     日本語の利用者                        -                in 60m
    tok_00d1h88n000000000000000003  session  revoked    ann                                   web              never
    ");
}

#[test]
fn findings_at_60_columns_are_broken_into_lines() {
    let table = render(&FINDINGS, &findings(), Some(60), false);
    check_widths(&table, 60);
    assert_snapshot!(table, @r"
    SEVERITY  WHAT   ADVICE
    warning   disk   the disk is nearly full: free some room, or
                     move the file to a larger disk
    good      clock  it agrees with the store
    ");
}

#[test]
fn findings_at_30_columns_have_one_field_on_a_line() {
    assert_snapshot!(render(&FINDINGS, &findings(), Some(30), false), @r"
    severity: warning
    what:     disk
    advice:   the disk is nearly full: free some room, or move the file to a larger disk

    severity: good
    what:     clock
    advice:   it agrees with the store
    ");
}

#[test]
fn a_table_has_colours_only_on_request() {
    let plain = render(&COLUMNS, &tokens(), None, false);
    assert!(!plain.contains('\u{1b}'), "{plain:?}");
    let coloured = render(&COLUMNS, &tokens(), None, true);
    assert!(coloured.contains('\u{1b}'), "{coloured:?}");
}

#[test]
fn an_invisible_character_is_escaped_before_it_is_cut() {
    let row = rows(&[["tok_1", "access", "active", "a\u{202e}bcdefghijk", "-", "now"]]);
    let table = render(&COLUMNS, &row, Some(50), false);
    assert!(!table.contains('\u{202e}'), "{table:?}");
}
