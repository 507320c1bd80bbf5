//! The evaluation of the tiny VLM: questions about pictures that its training never saw, and the scoring of
//! answers.
//!
//! The pictures and questions lie in `guest/models/tiny-vlm/eval`, with the answers of two baselines that do
//! not look at the picture; `train/evaluation.py` there made them.

use std::collections::BTreeMap;

use ampoule::{Content, GenerationRequest, Image, Message, Model, Sampling};
use serde::{Deserialize, Serialize};

use crate::workspace_file;

/// The longest caption of six things takes 40 tokens.
const MAX_OUTPUT_TOKENS: u32 = 64;

const NUMBERS: [&str; 7] = ["no", "one", "two", "three", "four", "five", "six"];

const PLACES: [&str; 5] = ["top", "bottom", "left", "right", "middle"];

/// A question about a picture.
#[derive(Debug, Clone, Deserialize)]
pub struct Question {
    /// Name of the set, after the part that training never saw: `scenes`, `combinations`, `phrasings` or `renderer`.
    pub set: String,
    /// The picture's file, in the evaluation's folder.
    pub image: String,
    /// `caption`, `existence`, `count`, `attribute`, `comparison` or `relation`.
    pub kind: String,
    /// The text of the question.
    pub question: String,
    /// The answer in full.
    pub answer: String,
    /// The part that a right answer contains.
    pub key: String,
    /// The commonest key of this kind of question; captions have none.
    pub majority: Option<String>,
    /// Key that a model of the question's words alone would give; captions have none.
    pub text_only: Option<String>,
}

/// File of the questions.
pub(crate) const QUESTIONS: &str = "guest/models/tiny-vlm/eval/questions.json";

/// Reads all questions of the evaluation.
#[must_use]
pub fn evaluation_questions() -> Vec<Question> {
    let text = std::fs::read(workspace_file(QUESTIONS)).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// Draws one question in so many of each kind in each set, and the first of each in any case.
#[must_use]
pub fn evaluation_sample(every: usize) -> Vec<Question> {
    let mut counts = BTreeMap::<_, usize>::new();
    let is_drawn = |question: &Question| {
        let key = (question.set.clone(), question.kind.clone());
        let count = counts.entry(key).or_default();
        let (block, place) = (*count / every, *count % every);
        *count += 1;
        // Another place in each block: the questions about a picture come in a fixed order.
        place == block % every
    };
    let mut questions = evaluation_questions();
    questions.retain(is_drawn);
    questions
}

impl Question {
    /// Reads the picture.
    #[must_use]
    pub fn picture(&self) -> Vec<u8> {
        let folder = workspace_file("guest/models/tiny-vlm/eval");
        std::fs::read(folder.join(&self.image)).unwrap()
    }

    /// Asks the model, and returns its answer.
    ///
    /// # Errors
    ///
    /// Those of the request.
    pub async fn ask(&self, model: &Model) -> ampoule::Result<String> {
        let mut generation = model
            .generate(GenerationRequest {
                messages: vec![Message {
                    role: "user".to_owned(),
                    content: vec![
                        Content::Image(Image::Encoded(self.picture())),
                        Content::Text(self.question.clone()),
                    ],
                }],
                sampling: Sampling::GREEDY,
                max_output_tokens: MAX_OUTPUT_TOKENS,
                stop: Vec::new(),
                options: Vec::new(),
            })
            .await?;
        let mut text = String::new();
        while let Some(chunk) = generation.next().await? {
            text.push_str(&chunk.text);
        }
        Ok(text)
    }

    /// Scores `answer`.
    #[must_use]
    pub fn score(&self, answer: &str) -> Score {
        if self.kind == "caption" {
            return Score::of_caption(&self.key, answer);
        }
        let words: Vec<String> = answer
            .split(|c: char| !c.is_ascii_alphabetic())
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        let right = match self.kind.as_str() {
            "existence" | "comparison" => verdict(&words) == Some(&self.key),
            "count" => {
                words.iter().find(|word| NUMBERS.contains(&word.as_str())) == Some(&self.key)
            }
            "attribute" => words.last() == Some(&self.key),
            // Yes or no, a place (`top left`, last) or one of two things (`red star`, first).
            "relation" => match self.key.as_str() {
                "yes" | "no" => verdict(&words) == Some(&self.key),
                place if is_place(place) => words.join(" ").ends_with(&format!(" the {place}")),
                thing => words.join(" ").starts_with(&format!("the {thing} is ")),
            },
            kind => panic!("a question of kind `{kind}`"),
        };
        Score {
            right: u32::from(right),
            given: 1,
            asked: 1,
        }
    }

    /// Tells whether a guess is the key.
    pub(crate) fn is_key(&self, guess: Option<&String>) -> Option<bool> {
        guess.map(|guess| *guess == self.key)
    }
}

/// Tells whether a key is a place, such as `middle` or `top left`.
fn is_place(key: &str) -> bool {
    key.split(' ').all(|word| PLACES.contains(&word))
}

/// Counts of things that an answer names rightly, that it names, and that it should name. A question asks for
/// one thing, a caption for those on the picture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    right: u32,
    given: u32,
    asked: u32,
}

impl Score {
    /// Scores the caption `answer`; `key` lists the things on the picture, separated by semicolons. Things are
    /// pairs of a colour and a shape; several of a kind count as often as they are there. An empty
    /// picture's caption says "no shapes".
    #[must_use]
    pub fn of_caption(key: &str, answer: &str) -> Self {
        let expected = match key {
            "" => vec!["no shapes".to_owned()],
            key => things(&key.replace(';', ",")),
        };
        let mut missing = expected.clone();
        let given = things(answer);
        let right = given
            .iter()
            .filter(|thing| {
                let found = missing.iter().position(|other| other == *thing);
                found.map(|index| missing.swap_remove(index)).is_some()
            })
            .count();
        Score {
            right: right as u32,
            given: given.len() as u32,
            asked: expected.len() as u32,
        }
    }

    /// Returns the harmonic mean of precision and recall; of single answers, the share of right ones.
    #[must_use]
    pub fn f1(self) -> f64 {
        2.0 * f64::from(self.right) / f64::from(self.given + self.asked)
    }
}

impl std::ops::AddAssign for Score {
    fn add_assign(&mut self, other: Self) {
        self.right += other.right;
        self.given += other.given;
        self.asked += other.asked;
    }
}

/// Finds the `yes` or `no` of an answer: its first word, or after a reason its last ("The star is red, so no.").
fn verdict(words: &[String]) -> Option<&String> {
    let first = words.first()?;
    if matches!(first.as_str(), "yes" | "no") {
        Some(first)
    } else {
        words.last()
    }
}

/// Lists the things of an enumeration, each by its last two words.
fn things(text: &str) -> Vec<String> {
    text.to_lowercase()
        .trim_end_matches('.')
        .replace(" and ", ",")
        .split(',')
        .map(|thing| {
            let words: Vec<&str> = thing.split_whitespace().collect();
            words[words.len().saturating_sub(2)..].join(" ")
        })
        .filter(|thing| !thing.is_empty())
        .collect()
}
