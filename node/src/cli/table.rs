//! Tables whose columns stand under each other in Japanese too.

/// A table: a heading and rows of as many cells.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    columns: usize,
}

impl Table {
    /// A table with these column names.
    pub(super) fn new(heading: &[&str]) -> Self {
        Self { rows: vec![heading.iter().map(|name| (*name).to_uppercase()).collect()], columns: heading.len() }
    }

    /// Adds a row; missing cells are blank, surplus ones dropped.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        let mut row: Vec<String> = cells.into_iter().map(Into::into).collect();
        row.resize(self.columns, String::new());
        self.rows.push(row);
    }

    /// Whether it has no rows.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }

    /// The lines; `empty` if there is no row.
    pub(super) fn render(&self, empty: &str) -> String {
        if self.is_empty() {
            return empty.to_owned();
        }
        let mut widths = vec![0; self.columns];
        for row in &self.rows {
            for (cell, widest) in row.iter().zip(&mut widths) {
                *widest = (*widest).max(width(cell));
            }
        }
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, widest) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', widest - width(cell) + GAP));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Columns that a text takes on a terminal: East Asian wide and full-width characters take two, combining marks none.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

fn char_width(c: char) -> usize {
    match u32::from(c) {
        0x0300..=0x036F | 0x200B..=0x200F | 0x3099..=0x309A | 0xFE00..=0xFE0F | 0xE0100..=0xE01EF => 0,
        0x1100..=0x115F
        | 0x2E80..=0x303E
        | 0x3041..=0xA4CF
        | 0xAC00..=0xD7A3
        | 0xF900..=0xFAFF
        | 0xFE30..=0xFE6F
        | 0xFF00..=0xFF60
        | 0xFFE0..=0xFFE6
        | 0x1F300..=0x1FAFF
        | 0x20000..=0x3FFFD => 2,
        _ => 1,
    }
}

/// At most `columns` columns of a text, with an ellipsis where something was cut.
pub(super) fn shorten(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut short = String::new();
    for c in text.chars() {
        if width(&short) + char_width(c) + 1 > columns {
            break;
        }
        short.push(c);
    }
    short.push('…');
    short
}

/// "1 record", "2 records".
pub(super) fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

const GAP: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_each_other_in_japanese_too() {
        let mut table = Table::new(&["title", "day"]);
        table.row(["胸部 CT", "2024-03-01"]);
        table.row(["ｺﾘｵ", "2024-03-02"]);
        table.row(["x"]);
        let text = table.render("none");
        assert_eq!(text, "TITLE    DAY\n胸部 CT  2024-03-01\nｺﾘｵ      2024-03-02\nx\n");
        assert_eq!(Table::new(&["a"]).render("none"), "none");
    }

    #[test]
    fn cuts_and_counts_are_for_people() {
        assert_eq!(shorten("診療情報提供書", 7), "診療情…");
        assert_eq!(shorten("abc", 3), "abc");
        assert_eq!([counted(1, "record"), counted(0, "record")], ["1 record", "0 records"]);
    }
}
