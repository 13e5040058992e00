//! Lists for people: rows in columns.

use clap::ValueEnum;
use std::fmt::Write as _;

/// The form of what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people.
    #[value(alias = "text")]
    Table,
    /// For programs: proto JSON.
    Json,
}

/// Where the cells of a column stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Left,
    /// Numbers.
    Right,
}

/// A table whose columns are known before its rows: it needs no more memory than one row.
pub struct Columns<const N: usize>([(usize, Side); N]);

impl<const N: usize> Columns<N> {
    /// Columns as wide as their headings and these rows.
    pub fn of(headings: [(&str, Side); N], rows: &[[String; N]]) -> Self {
        let mut columns = headings.map(|(heading, side)| (heading.chars().count(), side));
        for (column, (width, _)) in columns.iter_mut().enumerate() {
            *width = rows.iter().map(|row| row[column].chars().count()).fold(*width, usize::max);
        }
        Self(columns)
    }

    /// Adds a row. A cell that is too wide for its column moves the others.
    pub fn push(&self, row: &[impl AsRef<str>; N], text: &mut String) {
        let start = text.len();
        for (cell, (width, side)) in row.iter().zip(&self.0) {
            let cell = cell.as_ref();
            // Writing to a String can't fail.
            let _ = match side {
                Side::Left => write!(text, "{cell:<width$}  "),
                Side::Right => write!(text, "{cell:>width$}  "),
            };
        }
        text.truncate(start + text[start..].trim_end().len());
        text.push('\n');
    }
}

/// A table of few rows, its columns as wide as they need to be.
pub fn table<const N: usize>(headings: [(&str, Side); N], rows: impl Iterator<Item = [String; N]>) -> String {
    let rows: Vec<_> = rows.collect();
    let columns = Columns::of(headings, &rows);
    let mut text = String::new();
    columns.push(&headings.map(|(heading, _)| heading), &mut text);
    for row in &rows {
        columns.push(row, &mut text);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_need_to_be() {
        let rows = [["lead-1", "7", ""], ["ä", "1,000", "x"]].map(|row| row.map(str::to_owned));
        let text = table([("LEAD", Side::Left), ("N", Side::Right), ("WHY", Side::Left)], rows.into_iter());
        assert_eq!(text, "LEAD        N  WHY\nlead-1      7\nä       1,000  x\n");
    }
}
