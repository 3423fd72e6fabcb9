//! Questions that every driver answers, and those that the embedder answers.

use std::sync::Arc;

use bytes::Bytes;
use pleach_core::identity::Keypair;
use pleach_core::link::{Answer, Cause, QueryId, Question, Verification};
use pleach_smol::Options;
use pleach_smol::store::{MemoryStore, Record, Store, StoreError};

use crate::probe::{Heard, Node, watch};

async fn answer(node: &Node) -> (u64, Answer<u8>) {
    match node.event().await {
        Heard::Answer(QueryId(query), answer) => (query, answer),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_record_is_loaded_as_it_was_stored_last() {
    smol::block_on(async {
        let node = Node::start();
        let store = |value: Option<&'static str>| Question::Store {
            key: "ban/alice".into(),
            value: value.map(|value| Bytes::from_static(value.as_bytes())),
        };
        let load = || Question::Load { key: "ban/alice".into() };
        let questions = [load(), store(Some("1 h")), store(Some("for good")), load(), store(None), load()];
        for (query, question) in (0..).zip(questions) {
            node.ask(query, question).await;
        }
        let mut answers = Vec::new();
        for _ in 0..6 {
            answers.push(answer(&node).await);
        }
        answers.sort_by_key(|(query, _)| *query);
        let answers: Vec<_> = answers.into_iter().map(|(_, answer)| answer).collect();
        assert_eq!(
            answers,
            [
                Answer::Loaded(None),
                Answer::Stored(true),
                Answer::Stored(true),
                Answer::Loaded(Some(Bytes::from_static(b"for good"))),
                Answer::Stored(true),
                Answer::Loaded(None),
            ]
        );
    });
}

#[derive(Debug)]
struct FullDisk;

impl FullDisk {
    fn error() -> StoreError {
        StoreError::Io { path: "store.redb".into(), source: "no space left".into() }
    }
}

impl Store for FullDisk {
    fn load(&self, _: &str) -> Result<Option<Bytes>, StoreError> {
        Err(Self::error())
    }
    fn write(&self, _: &[Record]) -> Result<(), StoreError> {
        Err(Self::error())
    }
    fn all(&self) -> Result<Vec<(String, Bytes)>, StoreError> {
        Err(Self::error())
    }
}

#[test]
fn t_70_a_full_disk_stops_storing_and_not_serving() {
    smol::block_on(async {
        let node = Node::with(Options::default(), Arc::new(FullDisk));
        node.ask(1, Question::Store { key: "a".into(), value: None }).await;
        assert_eq!(answer(&node).await, (1, Answer::Stored(false)));
        node.ask(2, Question::Load { key: "a".into() }).await;
        assert_eq!(answer(&node).await, (2, Answer::Failed(Cause::Other)));
        node.ask(3, Question::Resolve { host: "127.0.0.1".into() }).await;
        assert_eq!(answer(&node).await, (3, Answer::Resolved(vec!["127.0.0.1".parse().unwrap()])));
    });
}

#[test]
fn signatures_are_checked_by_a_worker() {
    smol::block_on(async {
        let node = Node::start();
        let pair = Keypair::from_seed(&[1; 32]);
        for (query, signed) in [(1, "message"), (2, "massage")] {
            let work = Verification {
                key: pair.public().0,
                message: Bytes::from_static(b"message"),
                signature: pair.sign(signed.as_bytes()),
            };
            node.ask(query, Question::Verify(Box::new(work))).await;
            assert_eq!(answer(&node).await, (query, Answer::Verified(query == 1)));
        }
    });
}

#[test]
fn a_question_of_the_network_goes_to_the_embedder() {
    smol::block_on(async {
        let node = Node::start();
        node.ask(5, Question::Other(6)).await;
        assert_eq!(watch(node.handle.question()).await, Some((QueryId(5), 6)));
        node.handle.answer(QueryId(5), Answer::Other(7)).await.unwrap();
        assert_eq!(answer(&node).await, (5, Answer::Other(7)));
    });
}

#[test]
fn more_questions_than_the_limit_are_refused_at_once() {
    smol::block_on(async {
        let options = Options { questions_max: 2, ..Options::default() };
        let node = Node::with(options, Arc::new(MemoryStore::new()));
        for query in 0..3 {
            node.ask(query, Question::Other(0)).await;
        }
        assert_eq!(answer(&node).await, (2, Answer::Failed(Cause::Exhausted)));
        assert_eq!(node.handle.inspect(|view| view.stats.questions_refused).await, Ok(1));
    });
}
