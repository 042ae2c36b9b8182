package indicator

// An Inspection is the answer to one candidate line, in the JSON shape of
// "desist inspect indicators". Either Error or the other fields are filled.
type Inspection struct {
	Input       string `json:"input"`
	Kind        string `json:"kind"`
	Value       string `json:"value"`
	Host        string `json:"host"`
	Registrable string `json:"registrable"`
	Platform    string `json:"platform"`
	Error       string `json:"error"`
}

// Inspect parses one line and never fails.
func Inspect(line string) Inspection {
	ind, err := Parse(line)
	if err != nil {
		return Inspection{Input: line, Error: err.Error()}
	}
	return Inspection{
		Input: line, Kind: string(ind.Kind), Value: ind.Value, Host: ind.Host,
		Registrable: ind.Registrable, Platform: ind.Platform,
	}
}
