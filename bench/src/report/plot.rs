//! The plot: per workload and server, CPU ratio and requests a second, on scales where each tick is ten times the one
//! before. The goals are black marks.

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::text::Alignment;

use super::Report;
use super::canvas::Canvas;
use super::markdown::figure;
use crate::error::Result;
use crate::session::Cell;
use crate::workload::{Kind, Style};

const MARGIN: i32 = 24;
const LABELS: i32 = 270;
const PANEL: i32 = 440;
/// Room right of a bar for its figure.
const FIGURE: i32 = 70;
const BAR: i32 = 15;
const ROW_GAP: i32 = 12;
const TOP: i32 = 110;

const BLACK: Rgb888 = Rgb888::new(20, 20, 20);
const GREY: Rgb888 = Rgb888::new(110, 110, 110);
const GRID: Rgb888 = Rgb888::new(228, 228, 228);
/// Okabe and Ito's colours, told apart by colour-blind readers too.
const COLORS: [Rgb888; 6] = [
    Rgb888::new(0, 114, 178),
    Rgb888::new(230, 159, 0),
    Rgb888::new(0, 158, 115),
    Rgb888::new(204, 121, 167),
    Rgb888::new(86, 180, 233),
    Rgb888::new(213, 94, 0),
];

/// A logarithmic scale from `low` on, both powers of ten.
#[derive(Clone, Copy, Debug)]
struct Scale {
    low: i32,
    high: i32,
}

/// One of the two columns of bars.
struct Panel {
    left: i32,
    title: &'static str,
    scale: Scale,
    value: fn(&Cell) -> Option<f64>,
    goal: fn(Kind, Style) -> Option<f64>,
}

impl Scale {
    /// The scale that holds all these values.
    fn over(values: impl Iterator<Item = f64> + Clone) -> Scale {
        let logs = values.filter(|value| *value > 0.0).map(f64::log10);
        let low = logs.clone().fold(f64::INFINITY, f64::min);
        let high = logs.fold(f64::NEG_INFINITY, f64::max);
        if low > high {
            return Scale { low: 0, high: 1 };
        }
        let low = low.floor() as i32;
        Scale { low, high: (high.ceil() as i32).max(low + 1) }
    }

    fn pixels(self, value: f64) -> i32 {
        if value <= 0.0 {
            return 0;
        }
        let share = (value.log10() - f64::from(self.low)) / f64::from(self.high - self.low);
        (share.clamp(0.0, 1.0) * f64::from(PANEL)) as i32
    }
}

/// The picture as a PNG file.
pub fn render(report: &Report) -> Result<Vec<u8>> {
    let cells = &report.results.cells;
    let row = BAR * report.names.len() as i32 + ROW_GAP;
    let bottom = TOP + row * report.settings.kinds.len() as i32;
    let width = MARGIN + LABELS + 2 * (PANEL + FIGURE + MARGIN);
    let mut canvas = Canvas::new(width as u32, (bottom + 2 * MARGIN) as u32);
    legend(&mut canvas, report);
    let style = report.settings.dataset.style;
    for panel in panels(cells, style) {
        grid(&mut canvas, &panel, bottom);
        for (index, kind) in report.settings.kinds.iter().enumerate() {
            let top = TOP + row * index as i32;
            for cell in cells.iter().filter(|cell| cell.kind == *kind) {
                bar(&mut canvas, &panel, cell, top + BAR * cell.target as i32);
            }
            if let Some(goal) = (panel.goal)(*kind, style) {
                let at = panel.left + panel.scale.pixels(goal);
                canvas.bar(at - 1, top - 3, 3, (row - ROW_GAP + 6) as u32, BLACK);
            }
        }
    }
    for (index, kind) in report.settings.kinds.iter().enumerate() {
        let middle = TOP + row * index as i32 + (row - ROW_GAP) / 2 + 4;
        let title = kind.title(&report.settings.dataset.item_size());
        canvas.text(&title, MARGIN + LABELS - 10, middle, Alignment::Right, BLACK);
    }
    canvas.png()
}

fn panels(cells: &[Cell], style: Style) -> [Panel; 2] {
    let cpu = |cell: &Cell| cell.cpu_ratio().map(|spread| spread.median);
    let rate = |cell: &Cell| (!cell.unsupported).then(|| cell.per_second());
    let cpu_goals = cells.iter().filter_map(|cell| cell.kind.goal(style)).map(|goal| goal.cpu_ratio);
    let left = MARGIN + LABELS;
    [
        Panel {
            left,
            title: "server CPU per request / a bare HTTP server's: shorter is better",
            scale: Scale::over(cells.iter().filter_map(cpu).chain(cpu_goals)),
            value: cpu,
            goal: |kind, style| kind.goal(style).map(|goal| goal.cpu_ratio),
        },
        Panel {
            left: left + PANEL + FIGURE + MARGIN,
            title: "requests/s: longer is better",
            scale: Scale::over(cells.iter().filter_map(rate)),
            value: rate,
            goal: |_, _| None,
        },
    ]
}

fn legend(canvas: &mut Canvas, report: &Report) {
    canvas.heading(&format!("dynamo-server bench, {}", report.date), MARGIN, 28, BLACK);
    let machine = format!("{} cores, {}", report.machine.cores, report.machine.file_system);
    canvas.text(&machine, MARGIN, 46, Alignment::Left, GREY);
    let mut x = MARGIN + LABELS + PANEL / 3;
    for (name, color) in report.names.iter().zip(COLORS.iter().cycle()) {
        canvas.bar(x, 18, 12, 12, *color);
        canvas.text(name, x + 18, 28, Alignment::Left, BLACK);
        x += 18 + 8 * name.chars().count() as i32 + 24;
    }
    canvas.bar(x + 4, 16, 3, 16, BLACK);
    canvas.text("goal", x + 18, 28, Alignment::Left, BLACK);
}

fn grid(canvas: &mut Canvas, panel: &Panel, bottom: i32) {
    canvas.text(panel.title, panel.left, TOP - 42, Alignment::Left, GREY);
    for power in panel.scale.low..=panel.scale.high {
        let value = 10_f64.powi(power);
        let x = panel.left + panel.scale.pixels(value);
        canvas.bar(x, TOP - 8, 1, (bottom - TOP + 8) as u32, GRID);
        let text = if power < 0 {
            format!("{value}")
        } else {
            figure(Some(value)).trim_end_matches(".00").trim_end_matches(".0").to_owned()
        };
        canvas.text(&text, x, TOP - 14, Alignment::Center, GREY);
    }
}

fn bar(canvas: &mut Canvas, panel: &Panel, cell: &Cell, top: i32) {
    let Some(value) = (panel.value)(cell) else { return };
    let length = panel.scale.pixels(value).max(1);
    canvas.bar(panel.left, top, length as u32, BAR as u32 - 2, COLORS[cell.target % COLORS.len()]);
    canvas.text(&figure(Some(value)), panel.left + length + 6, top + 10, Alignment::Left, GREY);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_whole_powers_of_ten() {
        let scale = Scale::over([0.0, 3.0, 250.0].into_iter());
        assert_eq!((scale.low, scale.high), (0, 3));
        assert_eq!((scale.pixels(1.0), scale.pixels(1000.0), scale.pixels(0.0)), (0, PANEL, 0));
        assert!((scale.pixels(31.6) - PANEL / 2).abs() <= 1);
        let scale = Scale::over(std::iter::empty());
        assert!(scale.high > scale.low);
    }
}
