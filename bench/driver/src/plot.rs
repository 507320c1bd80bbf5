//! The report as a picture: for each workload and engine a bar to the left or right of Ampoule's time, on a
//! logarithmic scale.

use std::fmt::Write as _;

use crate::figures::Row;
use crate::report::Report;

const ROW: f64 = 18.0;
const HEAD: f64 = 30.0;
/// Place of a ratio of one.
const MIDDLE: f64 = 520.0;
/// Width of a factor of two.
const OCTAVE: f64 = 70.0;
/// Length at which bars of larger ratios are cut.
const OCTAVES: f64 = 3.5;
const WIDTH: f64 = 860.0;

/// Makes an SVG document.
pub(crate) fn svg(report: &Report) -> String {
    let bars: Vec<(&Row, f64)> = report
        .rows
        .iter()
        .filter(|row| row.engine != "ampoule")
        .filter_map(|row| Some((row, row.ratio_ampoule_over_engine?)))
        .collect();
    let mut body = String::new();
    let mut y = HEAD;
    let mut workload = "";
    for (row, ratio) in &bars {
        if row.workload != workload {
            workload = &row.workload;
            y += ROW;
            text(
                &mut body,
                10.0,
                y + 13.0,
                "start",
                &format!("<tspan font-weight=\"bold\">{}</tspan>", escaped(workload)),
            );
            y += ROW;
        }
        let reach = (-ratio.log2()).clamp(-OCTAVES, OCTAVES) * OCTAVE;
        let (left, width) = (MIDDLE + reach.min(0.0), reach.abs().max(1.0));
        // Dark where Ampoule is the faster one.
        let fill = if *ratio <= 1.0 { "#1f6f8b" } else { "#c9803c" };
        let _ = writeln!(
            body,
            r#"<rect x="{left:.1}" y="{:.1}" width="{width:.1}" height="{:.1}" fill="{fill}"/>"#,
            y + 3.0,
            ROW - 6.0
        );
        let name = match row.threads {
            1 => row.engine.clone(),
            threads => format!("{}, {threads} threads", row.engine),
        };
        text(&mut body, 250.0, y + 13.0, "end", &escaped(&name));
        text(
            &mut body,
            WIDTH - 10.0,
            y + 13.0,
            "end",
            &format!("{:.2} ×", 1.0 / ratio),
        );
        y += ROW;
    }
    let height = y + ROW;
    let mut grid = String::new();
    for octave in -3_i32..=3 {
        let x = MIDDLE + f64::from(octave) * OCTAVE;
        let colour = if octave == 0 { "#444" } else { "#ddd" };
        let _ = writeln!(
            grid,
            r#"<line x1="{x:.1}" y1="{HEAD}" x2="{x:.1}" y2="{y:.1}" stroke="{colour}"/>"#
        );
        let label = match octave {
            0 => "ampoule".to_owned(),
            _ => format!("× {}", 2_f64.powi(octave)),
        };
        text(&mut grid, x, HEAD - 6.0, "middle", &label);
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n\
         <title>Time of each engine beside Ampoule's; to the right is slower</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{grid}{body}</svg>\n"
    )
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, content: &str) {
    let _ = writeln!(
        svg,
        r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{content}</text>"#
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tests::report;

    #[test]
    fn each_engine_with_a_figure_has_a_bar_on_its_side_of_ampoule() {
        let svg = svg(&report());
        // onnxruntime-native takes 0.4 of the time: log2 is -1.32, 92.5 pixels to the left.
        assert!(svg.contains(r#"<rect x="427.5""#), "{svg}");
        assert!(svg.contains(">0.40 ×</text>"), "{svg}");
        assert_eq!(svg.matches("<rect x=").count(), 1, "{svg}");
        assert!(!svg.contains("tract-wasm"), "{svg}");
    }
}
