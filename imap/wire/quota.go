package wire

// SetQuota is SETQUOTA (RFC 9208).
type SetQuota struct {
	Root   string
	Limits []ResourceLimit // each resource once
}

// ResourceLimit is the limit of a resource, in the unit of the resource.
type ResourceLimit struct {
	Resource string // upper case
	Limit    int64
}

// maxResources is how many resources one SETQUOTA may name.
const maxResources = 100

// ParseGetQuota parses GETQUOTA and returns the name of the quota root.
//
//	getquota = "GETQUOTA" SP quota-root-name   ; RFC 9208 §7
func ParseGetQuota(d *Decoder) (root string, err error) {
	if !d.ExpectSP() || !d.ExpectAString(&root) || !d.ExpectEnd() {
		return "", d.Err()
	}
	return root, nil
}

// ParseSetQuota parses SETQUOTA.
//
//	setquota          = "SETQUOTA" SP quota-root-name SP setquota-list
//	setquota-list     = "(" [setquota-resource *(SP setquota-resource)] ")"
//	setquota-resource = resource-name SP resource-limit   ; RFC 9208 §7
func ParseSetQuota(d *Decoder) (*SetQuota, error) {
	var c SetQuota
	return done(d, &c, d.ExpectSP() && d.ExpectAString(&c.Root) && d.ExpectSP() && d.ExpectList(func() bool {
		var r ResourceLimit
		if !d.ExpectKeyword(&r.Resource) || !d.ExpectSP() || !d.ExpectNumber64(&r.Limit) {
			return false
		}
		for _, other := range c.Limits {
			if other.Resource == r.Resource {
				return d.Fail("a resource is named twice")
			}
		}
		c.Limits = append(c.Limits, r)
		return len(c.Limits) <= maxResources || d.Fail("too many resources")
	}) && d.ExpectEnd())
}
