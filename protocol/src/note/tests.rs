use super::*;

/// The example of the specification.
const EXAMPLE_KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const EXAMPLE: &str = "This is an example message.\n\n\
    \u{2014} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

fn key() -> NoteKey {
    EXAMPLE_KEY.parse().unwrap()
}

#[test]
fn the_example_of_the_specification_verifies_and_is_written_alike() {
    let note = Note::from_bytes(EXAMPLE.as_bytes()).unwrap();
    assert_eq!(note.verify(&key()), Ok("This is an example message.\n"));
    assert_eq!(note.to_string(), EXAMPLE);
    assert_eq!(key().to_string(), EXAMPLE_KEY);
    assert_eq!(key().id(), KeyId([0x53, 0x0d, 0x90, 0x3a]));
}

#[test]
fn the_other_example_with_an_empty_line_in_its_text_is_read() {
    let whole = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n\
        \u{2014} quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";
    let note = Note::from_bytes(whole.as_bytes()).unwrap();
    assert!(note.unverified_text().ends_with("\n\ned è subito sera.\n"));
    assert_eq!(note.to_string(), whole);
    assert_eq!(note.verify(&key()), Err(NoteError::NoSignature));
}

#[test]
fn a_changed_text_does_not_verify() {
    let bent = EXAMPLE.replace("example message", "exemple message");
    assert_eq!(Note::from_bytes(bent.as_bytes()).unwrap().verify(&key()), Err(NoteError::BadSignature));
}

#[test]
fn a_second_line_of_the_same_key_must_verify_too() {
    let line = EXAMPLE.lines().last().unwrap();
    let bent = format!("{EXAMPLE}{}\n", line.replace("Uw2QOkn8", "Uw2QOkn9"));
    assert_eq!(Note::from_bytes(bent.as_bytes()).unwrap().verify(&key()), Err(NoteError::BadSignature));
}

#[test]
fn lines_of_unknown_keys_are_carried_and_prove_nothing() {
    let other = Identity::from_seed(&[3; 32]);
    let name: KeyName = "witness.example.com/w1".parse().unwrap();
    let mut note = Note::from_bytes(EXAMPLE.as_bytes()).unwrap();
    let text = note.unverified_text().to_owned();
    note.join(Note::sign(text, name.clone(), &other).unwrap()).unwrap();
    let read = Note::from_bytes(note.to_string().as_bytes()).unwrap();
    assert_eq!(read, note);
    assert!(read.verify(&key()).is_ok());
    assert!(read.verify(&NoteKey { name, party: other.party() }).is_ok());
    let same_name = NoteKey { name: key().name, party: other.party() };
    assert_eq!(read.verify(&same_name), Err(NoteError::NoSignature));
    let elsewhere = Note::sign("other\n".into(), key().name, &other).unwrap();
    assert_eq!(note.join(elsewhere), Err(NoteError::OtherText));
}

#[test]
fn what_is_not_exactly_a_note_is_refused() {
    for (whole, error) in [
        (EXAMPLE.replace("message.\n\n", "message.\n"), NoteError::NoSignature),
        (EXAMPLE.trim_end().to_owned(), NoteError::NoSignature),
        (format!("{EXAMPLE}\n"), NoteError::NoSignature),
        (format!("{EXAMPLE}rest\n"), NoteError::BadLine),
        (EXAMPLE.replace("is an", "is\tan"), NoteError::BadText),
        (EXAMPLE.replace('\u{2014}', "-"), NoteError::BadLine),
        (EXAMPLE.replace("com/foo Uw", "com/foo  Uw"), NoteError::BadLine),
        (EXAMPLE.replace("com/foo", "com/f+o"), NoteError::BadName),
        (EXAMPLE.replace("aQM=", "aQM"), NoteError::BadLine),
        (EXAMPLE.replace("aQM=", "aQN="), NoteError::BadLine),
        ("x".repeat(limits::NOTE_LEN_MAX + 1), NoteError::TooLong),
    ] {
        assert_eq!(Note::from_bytes(whole.as_bytes()), Err(error), "{whole:.60}");
    }
    let line = format!("{}\n", EXAMPLE.lines().last().unwrap());
    let most = format!("{EXAMPLE}{}", line.repeat(limits::NOTE_SIGNATURES_MAX - 1));
    assert!(Note::from_bytes(most.as_bytes()).is_ok());
    assert_eq!(Note::from_bytes((most + &line).as_bytes()), Err(NoteError::TooLong));
    assert_eq!(Note::from_bytes(b"\xff\n\n"), Err(NoteError::BadText));
}

#[test]
fn a_verifier_key_with_another_id_type_or_length_is_refused() {
    for bent in [
        EXAMPLE_KEY.replace("530d903a", "530d903b"),
        EXAMPLE_KEY.replace("530d903a", "530D903A"),
        EXAMPLE_KEY.replace("+Aeky", "+Beky"),
        EXAMPLE_KEY.replace("3U2k", ""),
        "example.com/foo".to_owned(),
    ] {
        assert_eq!(bent.parse::<NoteKey>(), Err(NoteError::BadKey), "{bent}");
    }
}
