//! The table of the model card: right answers by set and kind of question.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::evaluation::{Question, Score};

/// The scores by set and kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Row>", into = "Vec<Row>")]
pub struct ScoreTable(BTreeMap<(String, String), Row>);

/// The answers to one kind of question in one set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) set: String,
    pub(crate) kind: String,
    pub(crate) questions: usize,
    pub(crate) score: Score,
    /// Right answers of the baselines; captions have none.
    majority: Option<usize>,
    text_only: Option<usize>,
}

impl ScoreTable {
    /// Adds an answer.
    pub fn add(&mut self, question: &Question, answer: &str) {
        let key = (question.set.clone(), question.kind.clone());
        let row = self.0.entry(key).or_insert_with(|| Row {
            set: question.set.clone(),
            kind: question.kind.clone(),
            questions: 0,
            score: Score::default(),
            majority: None,
            text_only: None,
        });
        row.questions += 1;
        row.score += question.score(answer);
        for (count, guess) in [
            (&mut row.majority, &question.majority),
            (&mut row.text_only, &question.text_only),
        ] {
            if let Some(right) = question.is_key(guess.as_ref()) {
                *count = Some(count.unwrap_or(0) + usize::from(right));
            }
        }
    }

    /// Lists the rows, by set and kind.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.0.values()
    }

    /// Makes a table in Markdown.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = String::from(
            "| set | kind | questions | through the sandbox | majority | words alone |\n\
             | --- | --- | ---: | ---: | ---: | ---: |\n",
        );
        for row in self.rows() {
            let percent = |part: f64| format!("{:.1} %", 100.0 * part);
            let blind = |count: Option<usize>| {
                count.map_or_else(
                    || "–".to_owned(),
                    |n| percent(n as f64 / row.questions as f64),
                )
            };
            let score = if row.kind == "caption" {
                format!("F1 {:.3}", row.score.f1())
            } else {
                percent(row.score.f1())
            };
            writeln!(
                text,
                "| {} | {} | {} | {score} | {} | {} |",
                row.set,
                row.kind,
                row.questions,
                blind(row.majority),
                blind(row.text_only)
            )
            .unwrap();
        }
        text
    }
}

impl From<Vec<Row>> for ScoreTable {
    fn from(rows: Vec<Row>) -> Self {
        let keyed = |row: Row| ((row.set.clone(), row.kind.clone()), row);
        Self(rows.into_iter().map(keyed).collect())
    }
}

impl From<ScoreTable> for Vec<Row> {
    fn from(table: ScoreTable) -> Self {
        table.0.into_values().collect()
    }
}
