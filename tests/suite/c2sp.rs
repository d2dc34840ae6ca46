//! What others read of us: programs that were not written here, and know nothing of karute, read our checkpoints and our
//! cosignatures, and check our Merkle proofs. `signed_note` and `tlog_tiles` are Cloudflare's, made from Go's own; the
//! policy of `sigsum` asks for our witness, over HTTP, on a log that is not ours.

use std::collections::{BTreeSet, HashMap};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use karute_consent::id::{NodeId, PartyKey, VaultId};
use karute_consent::party::Identity;
use karute_consent::time::Timestamp;
use karute_node::ambient::Ambient;
use karute_node::witness::{Desk, Guard, Rules, Store, Witness, WitnessKeys};
use karute_protocol::checkpoint::Checkpoint;
use karute_protocol::cosignature::{WitnessKey, cosign};
use karute_protocol::merkle::{Place, RightEdge, TreeHash, TreeHead, prove_consistency, prove_inclusion};
use karute_protocol::note::NoteKey;
use karute_protocol::trail::{CheckpointText, Log};
use karute_protocol::witness::{AddCheckpoint, log_key};
use sha2::{Digest, Sha256};
use signed_note::{Note, NoteError, StandardVerifier, Verifier, VerifierList};
use sigsum::{Hash, Policy, PublicKey, SigsumSignature};
use tlog_tiles::{check_record, check_tree};
use tokio::sync::oneshot;

/// Leaves that are all at hand.
struct Tree {
    leaves: Vec<Vec<u8>>,
    stored: HashMap<Place, TreeHash>,
}

impl Tree {
    fn new(leaves: Vec<Vec<u8>>) -> Self {
        let (mut edge, mut stored) = (RightEdge::of_empty_tree(), HashMap::new());
        for leaf in &leaves {
            let stores = |place, hash| {
                stored.insert(place, hash);
            };
            edge.append(TreeHash::leaf(leaf), stores).unwrap();
        }
        Self { leaves, stored }
    }

    fn of_size(size: u8) -> Self {
        Self::new((0..size).map(|index| vec![index; 9]).collect())
    }

    fn head(&self, size: u64) -> TreeHead {
        let root = RightEdge::load(size, |place| self.stored.get(&place).copied()).unwrap().root();
        TreeHead { size, root }
    }

    fn consistency(&self, older: u64, newer: u64) -> Vec<TreeHash> {
        prove_consistency(older, newer, |place| self.stored.get(&place).copied()).unwrap()
    }

    fn inclusion(&self, index: u64, size: u64) -> Vec<TreeHash> {
        prove_inclusion(index, size, |place| self.stored.get(&place).copied()).unwrap()
    }
}

fn node() -> Identity {
    Identity::from_seed(&[5; 32])
}

fn witness() -> (Identity, WitnessKey) {
    let identity = Identity::from_seed(&[6; 32]);
    let key = WitnessKey { name: "witness.example/w1".parse().unwrap(), party: identity.party() };
    (identity, key)
}

/// A cosignature as `signed_note` asks for it: the key id and the signature are computed and checked by foreign code,
/// the message is put together here, from the specification.
struct CosignatureVerifier {
    name: String,
    key: PartyKey,
}

impl Verifier for CosignatureVerifier {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        signed_note::key_id(&self.name, &[&[0x04], &self.key.as_bytes()[..]].concat())
    }

    fn verify(&self, text: &[u8], line: &[u8]) -> bool {
        let Some((time, signature)) = line.split_first_chunk::<8>() else { return false };
        let Ok(signature) = <[u8; 64]>::try_from(signature) else { return false };
        let header = format!("cosignature/v1\ntime {}\n", u64::from_be_bytes(*time));
        let message = [header.as_bytes(), text].concat();
        PublicKey::from(*self.key.as_bytes()).verify_signature(message, &signature.into())
    }
}

fn flipped(text: &str, at: usize) -> String {
    let mut bytes = text.as_bytes().to_vec();
    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    String::from_utf8(bytes).unwrap()
}

#[test]
fn signed_note_and_tlog_tiles_read_the_checkpoints_of_trail_and_ledger() {
    let id = NodeId::from_bytes(*node().key().as_bytes());
    for log in [Log::Trail, Log::Ledger(VaultId::from_bytes([7; 32]))] {
        let head = Tree::of_size(9).head(9);
        let text = CheckpointText::sign(log, head, &node()).0;
        let vkey = log_key(log, id).unwrap().to_string();
        let known = VerifierList::new(vec![Box::new(StandardVerifier::new(&vkey).unwrap())]);
        let note = Note::from_bytes(text.as_bytes()).unwrap();
        let (good, unknown) = note.verify(&known).unwrap();
        assert_eq!((good.len(), unknown.len(), good[0].name()), (1, 0, log.origin(id).as_str()));
        let read = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
        assert_eq!((read.origin(), read.size(), read.hash().0), (log.origin(id).as_str(), 9, head.root.0));
        assert_eq!((read.extension(), read.to_bytes()), ("", note.text().to_vec()));
        assert_eq!(note.to_bytes(), text.as_bytes());
        let bent = text.replacen("\n9\n", "\n8\n", 1);
        let refused = Note::from_bytes(bent.as_bytes()).unwrap().verify(&known);
        assert!(matches!(refused, Err(NoteError::InvalidSignature { .. })), "{refused:?}");
    }
}

#[test]
fn signed_note_verifies_our_cosignature_line_and_refuses_a_bent_one() {
    let (identity, key) = witness();
    let plain = CheckpointText::sign(Log::Trail, Tree::of_size(9).head(9), &node());
    let line = cosign(&plain.body().unwrap(), &key.name, &identity, Timestamp::from_secs(1_679_315_147));
    let both = plain.with_lines(&line, &key).unwrap().0;
    let verifier = || CosignatureVerifier { name: key.name.to_string(), key: key.party.key() };
    let known = VerifierList::new(vec![Box::new(verifier())]);
    let (good, unknown) = Note::from_bytes(both.as_bytes()).unwrap().verify(&known).unwrap();
    assert_eq!((good.len(), unknown.len(), good[0].name()), (1, 1, "witness.example/w1"));
    // The vkey that we print is the one of this key id.
    assert!(key.to_string().starts_with(&format!("witness.example/w1+{:08x}+", verifier().key_id())));
    for at in [10, both.len() - 20] {
        let bent = flipped(&both, at);
        let refused = Note::from_bytes(bent.as_bytes()).unwrap().verify(&known);
        assert!(matches!(refused, Err(NoteError::InvalidSignature { .. })), "{refused:?}");
    }
}

#[test]
fn tlog_tiles_accepts_our_proofs_and_refuses_bent_ones() {
    let tree = Tree::of_size(23);
    let hash = |hash: &TreeHash| tlog_tiles::Hash(hash.0);
    let all = |hashes: Vec<TreeHash>| hashes.iter().map(hash).collect::<Vec<_>>();
    for size in 1..=23u64 {
        let root = hash(&tree.head(size).root);
        for index in 0..size {
            let leaf = tlog_tiles::record_hash(&tree.leaves[index as usize]);
            let mut proof = all(tree.inclusion(index, size));
            assert!(check_record(&proof, size, root, index, leaf).is_ok(), "{index} of {size}");
            assert!(check_record(&proof, size, root, index, tlog_tiles::record_hash(b"other")).is_err());
            if let Some(first) = proof.first_mut() {
                first.0[0] ^= 1;
                assert!(check_record(&proof, size, root, index, leaf).is_err());
            }
        }
        for older in 1..=size {
            let proof = all(tree.consistency(older, size));
            let before = hash(&tree.head(older).root);
            assert!(check_tree(&proof, size, root, older, before).is_ok(), "{older} of {size}");
            assert!(check_tree(&proof, size, root, older, tlog_tiles::record_hash(b"other")).is_err());
        }
    }
}

/// A witness of ours behind real HTTP, which takes on one log that is not ours.
struct Listening {
    runtime: tokio::runtime::Runtime,
    address: SocketAddr,
    key: WitnessKey,
    stop: oneshot::Sender<()>,
    ended: tokio::task::JoinHandle<karute_node::witness::Ending>,
    _folder: tempfile::TempDir,
}

impl Listening {
    fn for_log(log: NoteKey) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = WitnessKeys::from_seed("witness.example/w1".parse().unwrap(), &[6; 32]);
        let key = keys.key();
        Store::create(folder.path(), key.party.key()).unwrap();
        let guard = Guard::create(&folder.path().join("guard"), key.party.key()).unwrap();
        let store = Store::open(folder.path(), key.party.key(), guard).unwrap();
        let rules = Rules::new(BTreeSet::new(), vec![log], 10).unwrap();
        let (desk, ending) = Desk::start(store, &keys, rules, Ambient::system()).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let witness = runtime.block_on(Witness::bind("127.0.0.1:0", desk, ending)).unwrap();
        let address = witness.address().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = runtime.spawn(witness.run(async move {
            let _ = stopped.await;
        }));
        Self { runtime, address, key, stop, ended, _folder: folder }
    }

    /// Status and body of one request, in the plainest HTTP there is.
    fn post(&self, path: &str, body: &[u8]) -> (u16, String) {
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: w\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    fn end(self) {
        self.stop.send(()).unwrap();
        assert_eq!(self.runtime.block_on(self.ended).unwrap(), karute_node::witness::Ending::Asked);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A sigsum log, whose leaves are signed checksums, and one entry of it.
struct SigsumLog {
    log: Identity,
    signer: Identity,
    tree: Tree,
}

impl SigsumLog {
    fn new() -> Self {
        let (log, signer) = (Identity::from_seed(&[51; 32]), Identity::from_seed(&[52; 32]));
        let leaves = (0..11).map(|number| Self::leaf(&signer, number)).collect();
        Self { tree: Tree::new(leaves), log, signer }
    }

    fn message(number: u8) -> [u8; 32] {
        Sha256::digest([number]).into()
    }

    fn leaf(signer: &Identity, number: u8) -> Vec<u8> {
        let checksum: [u8; 32] = Sha256::digest(Self::message(number)).into();
        let signature = signer.sign(&[b"sigsum.org/v1/tree-leaf\0", &checksum[..]].concat());
        let key_hash = Sha256::digest(signer.key().as_bytes());
        [&checksum[..], signature.as_bytes(), &key_hash].concat()
    }

    fn key(&self) -> NoteKey {
        let origin = format!("sigsum.org/v1/tree/{}", hex(&Sha256::digest(self.log.key().as_bytes())));
        NoteKey { name: origin.parse().unwrap(), party: self.log.party() }
    }

    fn checkpoint(&self, size: u64) -> CheckpointText {
        let signed = Checkpoint { origin: self.key().name, head: self.tree.head(size) }.sign(&self.log);
        CheckpointText(String::from_utf8(signed.to_bytes()).unwrap())
    }

    fn ask(&self, older: u64, newer: u64) -> Vec<u8> {
        let proof = if older == 0 { Vec::new() } else { self.tree.consistency(older, newer) };
        AddCheckpoint::new(older, proof, &self.checkpoint(newer)).unwrap().to_bytes()
    }

    /// The proof of one entry in sigsum's own format, with the cosignature of a line of ours.
    fn proof(&self, index: u8, size: u64, line: &str) -> String {
        let (leaf, head) = (&self.tree.leaves[usize::from(index)], self.tree.head(size));
        let note = Note::from_bytes(self.checkpoint(size).0.as_bytes()).unwrap();
        let cosigned = Note::from_bytes(format!("x\n\n{line}").as_bytes()).unwrap();
        let signature = |note: &Note| {
            let everything = VerifierList::new(Vec::new());
            assert!(note.verify(&everything).is_err(), "nobody is known here");
            let line = String::from_utf8(note.to_bytes()).unwrap();
            signed_note::Signature::from_bytes(line.lines().last().unwrap().as_bytes()).unwrap().signature().to_vec()
        };
        let cosignature = signature(&cosigned);
        let (time, cosignature) = cosignature.split_first_chunk::<8>().unwrap();
        let witness = Sha256::digest(witness().1.party.key().as_bytes());
        let path: String = self
            .tree
            .inclusion(u64::from(index), size)
            .iter()
            .map(|hash| format!("node_hash={}\n", hex(&hash.0)))
            .collect();
        format!(
            "version=2\nlog={}\nleaf={} {}\n\nsize={size}\nroot_hash={}\nsignature={}\ncosignature={} {} {}\n\nleaf_index={index}\n{path}",
            hex(&Sha256::digest(self.log.key().as_bytes())),
            hex(&leaf[96..]),
            hex(&leaf[32..96]),
            hex(&head.root.0),
            hex(&signature(&note)),
            hex(&witness),
            u64::from_be_bytes(*time),
            hex(cosignature),
        )
    }

    /// What `sigsum` says to a proof, under a policy that asks for our witness.
    fn accepts(&self, number: u8, proof: &str) -> bool {
        let (log, witness) = (self.log.key().to_hex(), witness().1.party.key().to_hex());
        let policy = Policy::parse(&format!("log {log}\nwitness ours {witness}\nquorum ours\n")).unwrap();
        let signers = [PublicKey::from(*self.signer.key().as_bytes())];
        let Ok(signature) = SigsumSignature::from_ascii(proof) else { return false };
        sigsum::verify(&Hash::from(Self::message(number)), &signature, &signers, &policy).is_ok()
    }
}

#[test]
fn sigsum_accepts_a_proof_that_our_witness_cosigned_over_http_and_no_bent_one() {
    let log = SigsumLog::new();
    let witness = Listening::for_log(log.key());
    assert_eq!(witness.key, self::witness().1);
    let (status, first) = witness.post("/add-checkpoint", &log.ask(0, 4));
    assert_eq!(status, 200, "{first}");
    let (status, line) = witness.post("/add-checkpoint", &log.ask(4, 11));
    assert_eq!(status, 200, "{line}");
    let proof = log.proof(6, 11, &line);
    assert!(log.accepts(6, &proof), "{proof}");
    assert!(!log.accepts(5, &proof), "of another message");
    // The line of the smaller tree does not stand under the greater one.
    assert!(!log.accepts(6, &log.proof(6, 11, &first)));
    let without: String =
        proof.lines().filter(|line| !line.starts_with("cosignature")).map(|line| format!("{line}\n")).collect();
    assert!(!log.accepts(6, &without), "the policy asks for our witness");
    // One bit anywhere in the cosignature: its witness, its time, its 64 bytes.
    let from = proof.find("cosignature=").unwrap() + "cosignature=".len();
    let until = from + proof[from..].find('\n').unwrap();
    for at in (from..until).filter(|at| proof.as_bytes()[*at] != b' ') {
        let mut bent = proof.clone().into_bytes();
        bent[at] = if bent[at] == b'0' { b'1' } else { bent[at] ^ 1 };
        if let Ok(bent) = String::from_utf8(bent) {
            assert!(!log.accepts(6, &bent), "{}", &bent[from..until]);
        }
    }
    witness.end();
}
