//! Tables: with borders and fitted to the width of a terminal, plain columns elsewhere.

use comfy_table::presets;
use comfy_table::{ColumnConstraint, ContentArrangement};

use super::screen::{Colour, Screen, Width};

/// Rows under headers.
#[derive(Debug)]
pub(crate) struct Table {
    headers: Vec<String>,
    /// Columns that are never wrapped.
    unwrapped: Vec<usize>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<H: Into<String>>(headers: impl IntoIterator<Item = H>) -> Self {
        Self {
            headers: headers.into_iter().map(Into::into).collect(),
            unwrapped: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// Never wraps these columns, however narrow the terminal is: people copy names and ids.
    pub(crate) fn unwrapped(mut self, columns: &[usize]) -> Self {
        self.unwrapped = columns.to_vec();
        self
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Formats the table as lines for this screen.
    pub(crate) fn text(&self, screen: Screen) -> String {
        let mut table = comfy_table::Table::new();
        table.set_header(&self.headers).add_rows(&self.rows);
        match screen.terminal {
            Some(width) => {
                table
                    .load_style(presets::UTF8_FULL_CONDENSED)
                    .set_content_arrangement(ContentArrangement::Dynamic);
                if let Width::Columns(columns) = width {
                    table.set_width(columns);
                }
                for index in &self.unwrapped {
                    if let Some(column) = table.column_mut(*index) {
                        column.set_constraint(ColumnConstraint::ContentWidth);
                    }
                }
            }
            None => {
                table.load_style(presets::NOTHING);
                for column in table.column_iter_mut() {
                    column.set_padding((0, 2));
                }
            }
        }
        table
            .lines()
            .map(|line| paint(line.trim_end(), screen) + "\n")
            .collect()
    }
}

/// Colours the cells of a line that contain a status and nothing else.
fn paint(line: &str, screen: Screen) -> String {
    if screen.colour == Colour::Off {
        return line.to_owned();
    }
    let cells = line.split('┆').map(|cell| {
        let text = cell.trim_matches(['│', ' ']);
        match text {
            "" => cell.to_owned(),
            text => cell.replacen(text, &screen.paint(text, text), 1),
        }
    });
    cells.collect::<Vec<_>>().join("┆")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(["PATH", "STATUS"]);
        table.row(["examples/weather".to_owned(), "FAILED".to_owned()]);
        table.row(["a".to_owned(), "COMPLETED".to_owned()]);
        table
    }

    #[test]
    fn a_pipe_gets_columns_without_borders() {
        let screen = Screen {
            terminal: None,
            colour: Colour::Off,
        };
        assert_eq!(
            table().text(screen),
            "PATH              STATUS\nexamples/weather  FAILED\na                 COMPLETED\n"
        );
    }

    #[test]
    fn a_terminal_gets_borders_and_colours_within_its_width() {
        let mut screen = Screen {
            terminal: Some(Width::Columns(24)),
            colour: Colour::Off,
        };
        let text = table().text(screen);
        assert!(text.starts_with('┌') && text.ends_with("┘\n"), "{text}");
        assert!(
            text.lines().all(|line| line.chars().count() <= 24),
            "{text}"
        );
        assert!(!text.contains("examples/weather"), "{text}");
        let text = table().unwrapped(&[0]).text(screen);
        assert!(text.contains("│ examples/weather ┆"), "{text}");
        screen.terminal = Some(Width::Unknown);
        screen.colour = Colour::On;
        let text = table().text(screen);
        assert!(text.contains("┆ \x1b[31mFAILED\x1b[0m    │"), "{text}");
        assert!(
            text.contains("│ a                ┆ \x1b[32mCOMPLETED\x1b[0m │"),
            "{text}"
        );
    }
}
