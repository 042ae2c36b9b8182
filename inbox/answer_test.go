package inbox

import "testing"

func TestAnswerOf(t *testing.T) {
	for text, want := range map[string]Answer{
		"resolved":                                                 AnswerResolved,
		"Erledigt.\nMit freundlichen Grüßen":                       AnswerResolved,
		"The site has been\nsuspended.":                            AnswerResolved,
		"We informed our customer today.":                          AnswerInformed,
		"Kunde informiert":                                         AnswerInformed,
		"This address is not ours; it is not our network.":         AnswerNotOurs,
		"nicht zuständig":                                          AnswerNotOurs,
		"This was resolved last week, but it is a false positive.": AnswerFalsePositive,
		"We dispute your notice.":                                  AnswerFalsePositive,
		"refused, the content is legal":                            AnswerRefused,
		"Please send more evidence.":                               AnswerNeedEvidence,
		"Thank you for your message.":                              "",
		"unresolvedissues":                                         "",
		"":                                                         "",
	} {
		if got := answerOf(text); got != want {
			t.Errorf("answerOf(%q) = %q, want %q", text, got, want)
		}
	}
}
