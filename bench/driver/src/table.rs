//! The report as a Markdown document.

use std::fmt::Write as _;

use crate::figures::Row;
use crate::report::Report;
use crate::targets::{Bound, Target, Verdict};

/// Makes tables of the targets, of all rows, and of missing figures.
pub(crate) fn markdown(report: &Report) -> String {
    let machine = &report.machine;
    let processor = &machine.processor;
    let number_of =
        |number: Option<u32>| number.map_or_else(|| "unknown".to_owned(), |n| n.to_string());
    let mut text = format!(
        "# Ampoule and its peers\n\n{} ({}, family {}, model {}), {} cores, {} MiB of cache, {}, {}; {}. {} rounds, \
         in which each engine has a turn; times are medians over all of its runs. A product in a guest, which has vectors of 128 bits, can \
         reach {} of a native one with AVX2 on this processor.\n\n",
        processor.name,
        processor.vendor,
        number_of(processor.family),
        number_of(processor.model),
        machine.cores,
        machine.cache_bytes >> 20,
        machine.system,
        machine.rust,
        machine.pinning,
        report.rounds,
        processor.ceiling
    );
    targets(&mut text, &report.targets);
    text.push_str(
        "\n## Times\n\n| workload | engine | threads | median, ms | least, ms | runs | ampoule / it | host kernels / it \
         | GFLOP/s | of AVX2 | GB/s | cosine |\n| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: \
         | ---: | ---: | ---: |\n",
    );
    for row in report.rows.iter().filter(|row| row.missing.is_none()) {
        line(&mut text, &cells(row).each_ref().map(String::as_str));
    }
    text.push_str(
        "\n## Missing\n\n| workload | engine | threads | why |\n| --- | --- | ---: | --- |\n",
    );
    for row in &report.rows {
        if let Some(why) = &row.missing {
            let why = why.replace('|', "/").replace('\n', " ");
            line(
                &mut text,
                &[&row.workload, &row.engine, &row.threads.to_string(), &why],
            );
        }
    }
    if !report.errors.is_empty() {
        text.push_str("\n## Failed\n\n");
        for error in &report.errors {
            let _ = writeln!(text, "* {}", error.replace('\n', " "));
        }
    }
    text
}

/// Appends a table of targets.
pub(crate) fn targets(text: &mut String, targets: &[Target]) {
    text.push_str("## What it must show\n\n| | asked | found | |\n| --- | ---: | ---: | --- |\n");
    for target in targets {
        let bound = match target.bound {
            Bound::AtLeast(bound) => format!("≥ {bound:.3}"),
            Bound::AtMost(bound) => format!("≤ {bound:.3}"),
        };
        let verdict = match target.verdict {
            Verdict::Pass => "pass",
            Verdict::Miss => "**miss**",
            Verdict::NotMeasured => "not measured",
        };
        line(
            text,
            &[target.what, &bound, &number(target.figure, 3), verdict],
        );
    }
}

fn cells(row: &Row) -> [String; 12] {
    [
        row.workload.clone(),
        row.engine.clone(),
        row.threads.to_string(),
        number(row.median_ms, 3),
        number(row.min_ms, 3),
        row.runs.to_string(),
        number(row.ratio_ampoule_over_engine, 2),
        number(row.ratio_host_kernels_over_engine, 2),
        number(row.gflops, 1),
        number(row.share_of_native_avx2, 3),
        number(row.gb_per_s, 1),
        number(row.cosine, 4),
    ]
}

/// Appends a line of a table.
pub(crate) fn line(text: &mut String, cells: &[&str]) {
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

/// Writes a figure with so many digits after the point; nothing where there is none.
pub(crate) fn number(figure: Option<f64>, digits: usize) -> String {
    figure
        .map(|figure| format!("{figure:.digits$}"))
        .unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::engine::Engine;
    use crate::figures::{self, Found, tests::times};
    use crate::machine;
    use crate::measure::Measured;
    use crate::workload::Workload;

    pub(crate) fn report() -> Report {
        let found = BTreeMap::from([
            ((1, Engine::Ampoule), times(&[100.0])),
            ((1, Engine::OnnxruntimeNative), times(&[40.0])),
            (
                (1, Engine::TractWasm),
                Found::Missing("does not | build".to_owned()),
            ),
        ]);
        let measured = Measured {
            rows: figures::rows(&Workload::MAIN, &found),
            errors: vec!["minilm-f32-128 of rten-wasm: trap".to_owned()],
            ..Measured::default()
        };
        Report::new(measured, machine::facts(), 7)
    }

    #[test]
    fn every_row_is_in_the_table_with_its_figures_or_with_the_reason_that_it_has_none() {
        let text = markdown(&report());
        for part in [
            "| minilm-f32-128 | ampoule | 1 | 100.000 | 100.000 | 1 | 1.00 |",
            "| minilm-f32-128 | onnxruntime-native | 1 | 40.000 | 40.000 | 1 | 2.50 |",
            "| minilm-f32-128 | tract-wasm | 1 | does not / build |",
            "| MiniLM at 128 tokens over onnxruntime-native | ≤ 2.600 | 2.500 | pass |",
            "* minilm-f32-128 of rten-wasm: trap",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn the_machine_readable_report_has_the_fields_that_it_promises() {
        let json = serde_json::to_value(report()).unwrap();
        let row = &json["rows"][1];
        for (field, value) in [
            ("workload", "minilm-f32-128".into()),
            ("engine", "onnxruntime-native".into()),
            ("threads", 1.into()),
            ("median_ms", 40.0.into()),
            ("min_ms", 40.0.into()),
            ("runs", 1.into()),
            ("ratio_ampoule_over_engine", 2.5.into()),
            ("ratio_host_kernels_over_engine", serde_json::Value::Null),
        ] {
            assert_eq!(row[field], value, "{field}");
        }
        assert_eq!(json["rows"][2]["missing"], "does not | build");
        assert_eq!(json["targets"][0]["verdict"], "not-measured");
        assert_eq!(json["targets"][0]["at_least"], 0.38);
    }
}
