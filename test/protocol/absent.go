package protocol

// absent are the keys of Apache Kafka's broker listener that Leat does not
// advertise, by what they belong to.
var absent = []struct {
	what string
	keys []int16
}{
	{"Transactions", []int16{24, 25, 26, 28, 61, 65, 66}},
	{"Share groups (KIP-932)", []int16{76, 77, 78, 79, 90, 91, 92}},
	{"Streams groups (KIP-1071)", []int16{88, 89, 93}},
	{"SASL, users and access rules", []int16{17, 29, 30, 31, 36, 50, 51}},
	{"Quotas", []int16{48, 49}},
	{"The controller's view of one node", []int16{43, 45, 46, 55, 57, 64, 74}},
	{"Telemetry of clients (KIP-714)", []int16{71, 72}},
	{"Delegation tokens", []int16{38, 39, 40, 41}},
	{"Moving replicas between disks", []int16{34}},
}

// internal are the keys that only brokers and controllers use among themselves.
var internal = []int16{4, 5, 6, 7, 27, 52, 53, 54, 56, 58, 59, 62, 63, 67, 70, 73, 80, 81, 82, 83, 84, 85, 86, 87, 94}
