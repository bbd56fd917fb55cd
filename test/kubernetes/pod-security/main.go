// Evaluates pod templates against the Pod Security Standards with the code of the admission controller itself.
// Reads a JSON list of {"name": "Deployment penstock", "level": "restricted", "metadata": {...}, "spec": {...}} from stdin and
// writes a JSON list of {"name", "reason", "detail"}, one for each rule that a template breaks.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

type podTemplate struct {
	Name     string            `json:"name"`
	Level    api.Level         `json:"level"`
	Metadata metav1.ObjectMeta `json:"metadata"`
	Spec     corev1.PodSpec    `json:"spec"`
}

type violation struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
	Detail string `json:"detail"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	decoder := json.NewDecoder(os.Stdin)
	decoder.DisallowUnknownFields()
	var templates []podTemplate
	if err := decoder.Decode(&templates); err != nil {
		return err
	}
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return err
	}
	violations := []violation{}
	for _, template := range templates {
		if _, err := api.ParseLevel(string(template.Level)); err != nil {
			return fmt.Errorf("%s: %w", template.Name, err)
		}
		level := api.LevelVersion{Level: template.Level, Version: api.LatestVersion()}
		for _, result := range evaluator.EvaluatePod(level, &template.Metadata, &template.Spec) {
			if !result.Allowed {
				violations = append(violations, violation{template.Name, result.ForbiddenReason, result.ForbiddenDetail})
			}
		}
	}
	return json.NewEncoder(os.Stdout).Encode(violations)
}
