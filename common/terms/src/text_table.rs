//! Tables of text for terminals.

/// Cells of this many characters or more do not widen the column for the other rows.
const WIDEST: usize = 60;

/// The rows as lines without line ends, in columns with `gap` spaces between them. Widths are counted in characters.
#[must_use]
pub fn aligned<const COLUMNS: usize>(rows: &[[String; COLUMNS]], gap: usize) -> Vec<String> {
    let mut widths = [0; COLUMNS];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().min(WIDEST).max(*width);
        }
    }
    let line = |row: &[String; COLUMNS]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}{:gap$}", ""));
        let line: String = cells.collect();
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_cells_up_to_a_bound() {
        let long = "x".repeat(WIDEST + 1);
        let rows = [["GET", "/ü", "a"], ["DELETE", "/", ""], ["GET", long.as_str(), "b"]];
        let found = aligned(&rows.map(|row| row.map(str::to_owned)), 2);
        let spaces = " ".repeat(WIDEST);
        assert_eq!(found[0], format!("GET     /ü{}a", &spaces[..WIDEST]));
        assert_eq!(found[1], "DELETE  /");
        assert_eq!(found[2], format!("GET     {long}  b"));
    }
}
