//! Lies about records: lists with a line less, another number or another answer's signature, tombstones that nobody signed
//! for, keys and bodies of another record, streams that end early.

use karute_consent::id::StatementId;
use karute_consent::party::Identity;
use karute_consent::statement::sign;
use karute_protocol::message::{End, Listed, Message, RecordAnswer, Tombstone, TombstoneReason};
use karute_protocol::trail::{ListAnswer, ListDigest};
use karute_protocol::wire::Octets;

use super::relay::{Said, Telling};

/// What stands in the place of the line that is left out.
#[derive(Clone)]
pub(super) enum Instead {
    /// Nothing: the counts are smaller.
    Nothing,
    /// A tombstone.
    Tombstone(TombstoneReason, Option<Octets>),
}

/// The last record of every list is left out, and the counts are signed as if it had never been there.
pub(super) fn without_last(log: Identity, instead: Instead) -> Telling {
    let mut lines: Vec<Message> = Vec::new();
    Box::new(move |said| {
        let Said::Message(message) = said else { return vec![said] };
        match *message {
            Message::RecordAnswer(answer) if answer.body.is_none() && answer.encoded_len.0 == 0 => {
                lines.push(Message::RecordAnswer(answer));
                Vec::new()
            }
            Message::Tombstone(_) => {
                lines.push(*message);
                Vec::new()
            }
            Message::Listed(listed) if listed.answer.is_some() => {
                let told = signed_anew(std::mem::take(&mut lines), *listed, &instead, &log);
                told.into_iter().map(Said::from).collect()
            }
            other => std::mem::take(&mut lines).into_iter().chain([other]).map(Said::from).collect(),
        }
    })
}

fn signed_anew(mut lines: Vec<Message>, listed: Listed, instead: &Instead, log: &Identity) -> Vec<Message> {
    let mut said = listed.answer.expect("a list has an answer").verify().expect("the host signed it").into_payload();
    let last = lines.iter().rposition(|line| matches!(line, Message::RecordAnswer(_)));
    if let Some(Message::RecordAnswer(gone)) = last.map(|last| lines[last].clone()) {
        let last = last.expect("it was found");
        let (collection, generation, number) = (gone.collection, gone.generation, gone.number);
        match instead {
            Instead::Nothing => {
                lines.remove(last);
                let of_place =
                    said.counts.iter_mut().find(|at| (at.collection, at.generation) == (collection, generation));
                of_place.into_iter().for_each(|at| at.count -= 1);
                said.counts.retain(|at| at.count > 0);
            }
            Instead::Tombstone(reason, statement) => {
                let (reason, statement) = (*reason, statement.clone());
                lines[last] = Tombstone { collection, generation, number, reason, statement }.into();
            }
        }
    }
    let mut digest = ListDigest::new();
    for line in &lines {
        match line {
            Message::RecordAnswer(answer) => digest.record(header_id(answer)),
            _ => digest.tombstone(),
        }
    }
    let answer = ListAnswer { digest: digest.finish(), time: said.time.plus_secs(LATER_SECS), ..said };
    let answer = Some(sign(answer, log).expect("a well-formed answer").to_unverified());
    lines.push(Listed { answer, ..listed }.into());
    lines
}

fn header_id(answer: &RecordAnswer) -> StatementId {
    answer.header.clone().verify().expect("a depositor signed it").id()
}

/// Changes each message that `change` likes to.
pub(super) fn changed(mut change: impl FnMut(Message) -> Option<Message> + Send + 'static) -> Telling {
    Box::new(move |said| match said {
        Said::Message(message) => change(*message).map(Said::from).into_iter().collect(),
        other => vec![other],
    })
}

/// The first record of every answer is left out and nothing is signed anew.
pub(super) fn without_first() -> Telling {
    let mut first = true;
    changed(move |message| match message {
        Message::Permitted(_) => {
            first = true;
            Some(message)
        }
        Message::RecordAnswer(_) if std::mem::take(&mut first) => None,
        other => Some(other),
    })
}

/// Every record has the number after its own.
pub(super) fn wrong_numbers() -> Telling {
    changed(|message| match message {
        Message::RecordAnswer(mut answer) => {
            answer.number.0 += 1;
            Some(Message::RecordAnswer(answer))
        }
        other => Some(other),
    })
}

/// Every list ends with the signed end of another one.
pub(super) fn ends_as(other: Listed) -> Telling {
    changed(move |message| match message {
        Message::Listed(listed) if listed.answer.is_some() => Some(other.clone().into()),
        other => Some(other),
    })
}

/// Answers end after their first line, with a true-looking end.
pub(super) fn ends_early() -> Telling {
    let mut seen = 0;
    changed(move |message| match message {
        Message::Permitted(_) => {
            seen = 0;
            Some(message)
        }
        Message::RecordAnswer(_) => {
            seen += 1;
            (seen == 1).then_some(message)
        }
        Message::End(_) => Some(End { count: 1 }.into()),
        other => Some(other),
    })
}

/// The stream is cut in every answer of records, after its first line.
pub(super) fn cut() -> Telling {
    let mut records = 0;
    Box::new(move |said| {
        records += u32::from(matches!(&said, Said::Message(message) if matches!(**message, Message::RecordAnswer(_))));
        if records > 1 { vec![Said::Cut] } else { vec![said] }
    })
}

/// Two records after one another come in the wrong order.
pub(super) fn reordered() -> Telling {
    let mut held: Option<Said> = None;
    Box::new(move |said| {
        let is_line = matches!(&said, Said::Message(message) if matches!(&**message,
            Message::RecordAnswer(answer) if answer.encoded_len.0 == 0));
        match (is_line, held.take()) {
            (true, None) => {
                held = Some(said);
                Vec::new()
            }
            (_, before) => [said].into_iter().chain(before).collect(),
        }
    })
}

/// Each record but the first is shown with what `take` takes from the one before.
pub(super) fn mixed(take: fn(&mut RecordAnswer, &RecordAnswer)) -> Telling {
    let mut before: Option<RecordAnswer> = None;
    changed(move |message| match message {
        Message::RecordAnswer(answer) => {
            let mut told = (*answer).clone();
            if let Some(before) = before.replace(*answer) {
                take(&mut told, &before);
            }
            Some(told.into())
        }
        other => Some(other),
    })
}

/// The sealed keys are those of another record.
pub(super) fn other_keys(answer: &mut RecordAnswer, before: &RecordAnswer) {
    answer.run = before.run.clone();
    answer.re_wrap = before.re_wrap.clone();
}

/// The record is another one under this one's place.
pub(super) fn other_record(answer: &mut RecordAnswer, before: &RecordAnswer) {
    answer.header = before.header.clone();
    answer.meta = before.meta.clone();
}

/// The body is that of another record, where both are short.
pub(super) fn other_body(answer: &mut RecordAnswer, before: &RecordAnswer) {
    if answer.body.is_some() && before.body.is_some() {
        answer.body = before.body.clone();
    }
}

/// The halves of every piece of a body change places.
pub(super) fn swapped_ranges() -> Telling {
    Box::new(|said| match said {
        Said::Piece(bytes) => {
            let middle = bytes.len() / 2;
            vec![Said::Piece([&bytes[middle..], &bytes[..middle]].concat().into())]
        }
        other => vec![other],
    })
}

/// Later than the true answer by more than a host may be behind (P-41).
const LATER_SECS: u64 = 100;
