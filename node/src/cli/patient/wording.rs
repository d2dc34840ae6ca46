//! What a patient agrees to, in words: the text that is shown, signed by its hash and kept in the grant.

use clap::ValueEnum;
use karute_consent::category::{Category, Kind, Sensitivity};
use karute_consent::purpose::Purpose;
use karute_consent::scope::Action;
use karute_consent::time::Month;

/// The language of a consent text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    /// English.
    En,
    /// Japanese.
    Ja,
}

/// What a consent is about.
pub(super) struct Agreed<'a> {
    pub patient: &'a str,
    pub holder: &'a str,
    pub actions: &'a [Action],
    pub kinds: &'a [Kind],
    /// First and last month, both included.
    pub months: Option<(Month, Month)>,
    /// How many single records; none is all of the kinds.
    pub records: usize,
    pub purposes: &'a [Purpose],
    pub days: u32,
    pub uses: Option<u32>,
}

impl Language {
    /// The tag that a grant carries.
    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ja => "ja",
        }
    }

    /// The language of the environment, English if it is another.
    pub(super) fn of_environment() -> Self {
        let set =
            ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(|key| std::env::var(key).ok().filter(|v| !v.is_empty()));
        if set.is_some_and(|value| value.starts_with("ja")) { Self::Ja } else { Self::En }
    }

    /// The text.
    pub(super) fn text(self, agreed: &Agreed<'_>) -> String {
        match self {
            Self::En => english(agreed),
            Self::Ja => japanese(agreed),
        }
    }
}

fn english(agreed: &Agreed<'_>) -> String {
    let actions: Vec<&str> = agreed.actions.iter().map(|action| action.word()).collect();
    let kinds: Vec<String> = agreed
        .kinds
        .iter()
        .map(|kind| match kind.sensitivity {
            Sensitivity::Normal => kind.category.word().to_owned(),
            Sensitivity::Sensitive => format!("sensitive {}", kind.category.word()),
        })
        .collect();
    let mut text = format!("I, {}, allow {} to {} ", agreed.patient, agreed.holder, actions.join(", "));
    match agreed.records {
        0 => text.push_str(&format!("records of these kinds in my vault: {}", kinds.join(", "))),
        1 => text.push_str("the one record named in this grant"),
        count => text.push_str(&format!("the {count} records named in this grant")),
    }
    if let Some((from, until)) = agreed.months {
        text.push_str(&format!(", deposited from {from} to {until}"));
    }
    let purposes: Vec<&str> = agreed.purposes.iter().map(|purpose| purpose_words(*purpose).0).collect();
    text.push_str(&format!(", for {}, for {} days", purposes.join(" and "), agreed.days));
    if let Some(uses) = agreed.uses {
        text.push_str(&format!(", {uses} time{} at most", if uses == 1 { "" } else { "s" }));
    }
    text.push_str(".\nI can end this at any time. What was read before cannot be un-read.");
    text
}

fn japanese(agreed: &Agreed<'_>) -> String {
    let actions: Vec<&str> = agreed.actions.iter().map(|action| action_word_ja(*action)).collect();
    let kinds: Vec<String> = agreed
        .kinds
        .iter()
        .map(|kind| match kind.sensitivity {
            Sensitivity::Normal => category_word_ja(kind.category).to_owned(),
            Sensitivity::Sensitive => format!("{}（機微）", category_word_ja(kind.category)),
        })
        .collect();
    let what = match agreed.records {
        0 => format!("私の保管庫にある次の種類の記録（{}）", kinds.join("、")),
        count => format!("この同意に示す{count}件の記録"),
    };
    let months =
        agreed.months.map(|(from, until)| format!("のうち{from}から{until}までに預けられたもの")).unwrap_or_default();
    let purposes: Vec<&str> = agreed.purposes.iter().map(|purpose| purpose_words(*purpose).1).collect();
    let uses = agreed.uses.map(|uses| format!("、{uses}回まで")).unwrap_or_default();
    format!(
        "私（{}）は、{}に対し、{}のため、{what}{months}の{}を、{}日間{uses}許可します。\nこの同意はいつでも取り消せます。取り消す前に読まれたものを、読まれなかったことにはできません。",
        agreed.patient,
        agreed.holder,
        purposes.join("・"),
        actions.join("・"),
        agreed.days,
    )
}

/// A purpose in English and in Japanese.
pub(super) fn purpose_words(purpose: Purpose) -> (&'static str, &'static str) {
    match purpose {
        Purpose::Treatment => ("treatment", "診療"),
        Purpose::EmergencyTreatment => ("emergency treatment", "救急診療"),
        Purpose::Research => ("healthcare research", "医学研究"),
        Purpose::PublicHealth => ("public health", "公衆衛生"),
        Purpose::Payment => ("healthcare payment", "診療報酬の支払い"),
        Purpose::PatientRequest => ("the patient's request", "本人の求め"),
        Purpose::FamilyRequest => ("the family's request", "家族の求め"),
    }
}

fn action_word_ja(action: Action) -> &'static str {
    match action {
        Action::Deposit => "預け入れ",
        Action::List => "一覧",
        Action::Read => "閲覧",
        Action::Audit => "閲覧履歴の確認",
        Action::Revoke => "同意の取消し",
        Action::Export => "持ち出し",
        Action::Sync => "同期",
    }
}

fn category_word_ja(category: Category) -> &'static str {
    match category {
        Category::Prescription => "処方",
        Category::Dispensing => "調剤",
        Category::Lab => "検査",
        Category::Imaging => "画像",
        Category::Diagnosis => "傷病名",
        Category::Allergy => "アレルギー",
        Category::Vital => "バイタル",
        Category::Checkup => "健診",
        Category::Immunisation => "予防接種",
        Category::MaternalChild => "母子保健",
        Category::Referral => "紹介状",
        Category::Care => "介護",
        Category::Dental => "歯科",
        Category::Document => "文書",
        Category::Video => "動画",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_name_who_what_why_and_how_long() {
        let kinds = [Kind { category: Category::Imaging, sensitivity: Sensitivity::Sensitive }];
        let agreed = Agreed {
            patient: "山田 太郎",
            holder: "Hospital B",
            actions: &[Action::List, Action::Read],
            kinds: &kinds,
            months: Some((Month(672), Month(683))),
            records: 0,
            purposes: &[Purpose::Treatment],
            days: 90,
            uses: Some(1),
        };
        assert_eq!(
            Language::En.text(&agreed),
            "I, 山田 太郎, allow Hospital B to list, read records of these kinds in my vault: sensitive imaging, deposited \
             from 2026-01 to 2026-12, for treatment, for 90 days, 1 time at most.\nI can end this at any time. What was \
             read before cannot be un-read."
        );
        let japanese = Language::Ja.text(&agreed);
        for word in ["山田 太郎", "Hospital B", "画像（機微）", "2026-12", "診療", "90日間", "1回まで"]
        {
            assert!(japanese.contains(word), "{word}");
        }
    }
}
